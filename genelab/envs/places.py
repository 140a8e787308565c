"""Where on a terrain the episodes of each environment start, and how trainings move between its levels."""

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.terrain import TerrainCurriculumCfg
from genelab.envs.parts import Draw, Memory
from genelab.mdp.curricula import terrain_levels
from genelab.mdp.locomotion import commanded_speed, speed_along_command
from genelab.mdp.state import StateView


class Places:
    """The cell of each environment.

    An episode of an evaluation stands in the cell that its number says: level k mod rows, column (k div rows) mod
    columns. An environment of a training keeps its column; its level follows the curriculum, or is drawn anew for each
    episode if there is none.
    """

    def __init__(
        self,
        cfg: EnvCfg,
        centers_w: Tensor,
        num_envs: int,
        device: torch.device,
        *,
        by_episode: bool,
        curriculum: TerrainCurriculumCfg | None = None,
    ) -> None:
        """Place nothing yet.

        Args:
            cfg: the environment, with a terrain.
            centers_w: centres of the cells, m. Shape: (rows, columns, 3).
            num_envs: parallel environments.
            device: of every tensor.
            by_episode: whether an episode's number says where it starts.
            curriculum: how environments move between levels; None to draw the level of every episode.
        """
        assert cfg.terrain is not None
        self._cfg = curriculum
        self._control_dt = cfg.control_dt
        self._cell_size = cfg.terrain.cell_size
        self._centers_w = centers_w.to(device)
        self._rows, self._columns = centers_w.shape[:2]
        self._by_episode = by_episode
        count = torch.zeros(num_envs, dtype=torch.int64, device=device)
        self.memory: Memory = {
            "level": count,
            "column": count.clone(),
            "placed": torch.zeros(num_envs, dtype=torch.bool, device=device),
            "away_m": torch.zeros(num_envs, device=device),
            "way_m": torch.zeros(num_envs, device=device),
            "commanded_m": torch.zeros(num_envs, device=device),
        }

    @property
    def origin_w(self) -> Tensor:
        """Where the episodes start: the centre of the cell, at the height of the ground, m. Shape: (num_envs, 3)."""
        return self._centers_w[self.memory["level"], self.memory["column"]]

    @property
    def level(self) -> Tensor:
        """Levels, int64. Shape: (num_envs,)."""
        return self.memory["level"]

    def advance(self, state: StateView, broken: Tensor) -> None:
        """Look at how far the robots are and were to go, after the physics of a control step.

        Args:
            state: the state.
            broken: where it is not to be believed. Shape: (num_envs,) bool.
        """
        if self._cfg is None or self._by_episode:
            return
        away = (state.floating.pos_w[:, :2] - self.origin_w[:, :2]).norm(dim=1)
        self.memory["away_m"] = torch.where(broken, self.memory["away_m"], away)
        for name, speed in (("way_m", speed_along_command), ("commanded_m", commanded_speed)):
            step_m = speed(state, self._cfg.command) * self._control_dt
            self.memory[name] = self.memory[name] + step_m.masked_fill(broken, 0.0)

    def start(self, mask: Tensor, number: Tensor, draw: Draw) -> None:
        """Give new episodes their cells. Shapes: (num_envs,) bool, (num_envs,) int64 episode numbers."""
        if self._by_episode:
            level, column = number % self._rows, number // self._rows % self._columns
        else:
            level, column = self._next_level(draw), self._first_column(draw)
        self.memory["level"] = torch.where(mask, level, self.memory["level"])
        self.memory["column"] = torch.where(mask, column, self.memory["column"])
        self.memory["placed"] = self.memory["placed"] | mask
        for name in ("away_m", "way_m", "commanded_m"):
            self.memory[name] = self.memory[name].masked_fill(mask, 0.0)

    def _next_level(self, draw: Draw) -> Tensor:
        uniform = draw("terrain/level", 1)[:, 0]
        if self._cfg is None:
            return _drawn(uniform, self._rows)
        moved = terrain_levels(
            self.memory["level"],
            self.memory["away_m"],
            self.memory["way_m"],
            self.memory["commanded_m"],
            self._cell_size,
            self._rows - 1,
            restart_at_random=self._cfg.restart_at_random,
            uniform=uniform,
        )
        return torch.where(self.memory["placed"], moved, _drawn(uniform, self._cfg.max_start_level + 1))

    def _first_column(self, draw: Draw) -> Tensor:
        drawn = _drawn(draw("terrain/column", 1)[:, 0], self._columns)
        return torch.where(self.memory["placed"], self.memory["column"], drawn)


def _drawn(uniform: Tensor, count: int) -> Tensor:
    """Integers below `count` from draws in [0, 1), int64. Shapes: (num_envs,) -> (num_envs,)."""
    # The product may round up to the count.
    return (uniform * count).to(torch.int64).clamp(max=count - 1)
