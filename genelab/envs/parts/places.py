"""Where on a terrain the episodes of each environment start, and how trainings move between its levels."""

import torch
from torch import Tensor

from genelab.envs.parts.part import Part, World
from genelab.mdp.curricula import terrain_levels
from genelab.mdp.locomotion import commanded_speed, speed_along_command
from genelab.mdp.state import PlaceState, StateView


class Places(Part):
    """The cell of each environment.

    An episode of an evaluation stands in the cell that its number says: level k mod rows, column (k div rows) mod
    columns. An environment of a training keeps its column; its level follows the curriculum, or is drawn anew for each
    episode if there is none.
    """

    def __init__(self, centers_w: Tensor, world: World) -> None:
        """Place nothing yet. `centers_w`: centres of the cells, m. Shape: (rows, columns, 3)."""
        super().__init__()
        assert world.cfg.terrain is not None
        self._world, self._cfg = world, world.purpose.curriculum
        self._cell_size = world.cfg.terrain.cell_size
        self._centers_w = centers_w.to(world.device)
        self._rows, self._columns = centers_w.shape[:2]
        self.begin()

    def begin(self) -> None:
        """No environment is placed."""
        self.memory |= {name: self._world.zeros(dtype=torch.int64) for name in ("level", "column")}
        self.memory["placed"] = self._world.zeros(dtype=torch.bool)
        self.memory |= {name: self._world.zeros() for name in ("away_m", "way_m", "commanded_m")}

    def view(self, state: StateView) -> PlaceState:
        """The cells."""
        level = self.memory["level"]
        return PlaceState(self._centers_w[level, self.memory["column"]], level)

    def account(self, state: StateView, broken: Tensor) -> None:
        """Look at how far the robots are and were to go, after the physics of a control step of a training."""
        if self._cfg is None or self._world.purpose.numbered:
            return
        away = (state.floating.pos_w - state.floating.origin_w)[:, :2].norm(dim=1)
        self.memory["away_m"] = torch.where(broken, self.memory["away_m"], away)
        for name, speed in (("way_m", speed_along_command), ("commanded_m", commanded_speed)):
            step_m = speed(state, self._cfg.command) * self._world.cfg.control_dt
            self.memory[name] = self.memory[name] + step_m.masked_fill(broken, 0.0)

    def start(self, mask: Tensor) -> None:
        """Give new episodes their cells."""
        if self._world.purpose.numbered:
            number = self._world.episode_number
            level, column = number % self._rows, number // self._rows % self._columns
        else:
            level, column = self._next_level(), self._first_column()
        self.memory["level"] = torch.where(mask, level, self.memory["level"])
        self.memory["column"] = torch.where(mask, column, self.memory["column"])
        self.memory["placed"] = self.memory["placed"] | mask
        for name in ("away_m", "way_m", "commanded_m"):
            self.memory[name] = self.memory[name].masked_fill(mask, 0.0)

    def metrics(self) -> dict[str, float]:
        """Mean level over the environments."""
        return {"terrain_level": float(self.memory["level"].double().mean())}

    def _next_level(self) -> Tensor:
        uniform = self._world.draw("terrain/level", 1)[:, 0]
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

    def _first_column(self) -> Tensor:
        drawn = _drawn(self._world.draw("terrain/column", 1)[:, 0], self._columns)
        return torch.where(self.memory["placed"], self.memory["column"], drawn)


def _drawn(uniform: Tensor, count: int) -> Tensor:
    """Integers below `count` from draws in [0, 1), int64. Shapes: (num_envs,) -> (num_envs,)."""
    # The product may round up to the count.
    return (uniform * count).to(torch.int64).clamp(max=count - 1)
