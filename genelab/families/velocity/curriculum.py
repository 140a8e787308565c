"""How trainings of velocity tasks move between the levels of a terrain."""

from typing import Annotated

import torch
from pydantic import AfterValidator, Field, ValidationInfo
from torch import Tensor

from genelab.envs.parts.part import World
from genelab.envs.parts.places import Curriculum, drawn
from genelab.families.velocity.terms import commanded_speed, speed_along_command
from genelab.mdp.params import Command, environment
from genelab.mdp.state import StateView


def _of_the_terrain(level: int, info: ValidationInfo) -> int:
    terrain = environment(info).terrain
    if terrain is not None and level >= terrain.rows:
        raise ValueError(f"must be one of the levels 0 to {terrain.rows - 1}")
    return level


Level = Annotated[int, Field(ge=0), AfterValidator(_of_the_terrain)]
"""A level of the terrain."""


def by_the_way_made(
    world: World, command: Command, max_start_level: Level = 0, restart_at_random: bool = False
) -> Curriculum:
    """A curriculum that judges an episode by the way that its command asked for.

    Args:
        world: the environment.
        command: the velocity command.
        max_start_level: hardest level of the first episodes, which are drawn between 0 and this one.
        restart_at_random: whether a robot that leaves the hardest level goes on at a random one.
    """
    return ByTheWayMade(world, command, max_start_level, restart_at_random=restart_at_random)


class ByTheWayMade(Curriculum):
    """See `by_the_way_made`."""

    def __init__(self, world: World, command: str, max_start_level: int, *, restart_at_random: bool) -> None:
        super().__init__(max_start_level)
        assert world.cfg.terrain is not None
        self._world, self._command, self._restart_at_random = world, command, restart_at_random
        self._cell_size, self._rows = world.cfg.terrain.cell_size, world.cfg.terrain.rows
        self.begin()

    def begin(self) -> None:
        """No robot has gone anywhere."""
        self.memory |= {name: self._world.zeros() for name in ("away_m", "way_m", "commanded_m")}

    def start(self, mask: Tensor) -> None:
        """A new episode has gone nowhere."""
        for name, value in self.memory.items():
            self.memory[name] = value.masked_fill(mask, 0.0)

    def account(self, state: StateView, broken: Tensor) -> None:
        """Look at how far the robots are and were to go."""
        away = (state.floating.pos_w - state.floating.origin_w)[:, :2].norm(dim=1)
        self.memory["away_m"] = torch.where(broken, self.memory["away_m"], away)
        for name, speed in (("way_m", speed_along_command), ("commanded_m", commanded_speed)):
            step_m = speed(state, self._command) * self._world.cfg.control_dt
            self.memory[name] = self.memory[name] + step_m.masked_fill(broken, 0.0)

    def next_level(self, level: Tensor, uniform: Tensor) -> Tensor:
        """Levels of the next episodes, by `terrain_levels`."""
        return terrain_levels(
            level,
            self.memory["away_m"],
            self.memory["way_m"],
            self.memory["commanded_m"],
            self._cell_size,
            self._rows - 1,
            restart_at_random=self._restart_at_random,
            uniform=uniform,
        )


def terrain_levels(
    level: Tensor,
    away_m: Tensor,
    way_m: Tensor,
    commanded_m: Tensor,
    cell_size: float,
    max_level: int,
    *,
    restart_at_random: bool = False,
    uniform: Tensor | None = None,
) -> Tensor:
    """Levels of the next episodes: up for who left the cell, down for who made less than half of the way asked for.

    Args:
        level: of the episode that ended, int64. Shape: (num_envs,).
        away_m: planar distance from the cell's centre to where it ended, m. Shape: (num_envs,).
        way_m: velocity in the direction of the command, summed over the time that the episode lasted, m. Not the
            distance: who follows commands that change and turn comes back. Shape: (num_envs,).
        commanded_m: planar commanded speed, summed likewise, m. An early fall is then judged by the time there was.
            Shape: (num_envs,).
        cell_size: side of a cell, m. Half of it leads from the centre over the edge.
        max_level: the hardest level.
        restart_at_random: whether who passes the hardest level goes on at any level instead of staying.
        uniform: draws in [0, 1) for that, needed if it is on. Shape: (num_envs,).

    Returns:
        Levels in 0..max_level, int64. Shape: (num_envs,).

    Raises:
        ValueError: if `restart_at_random` is on without draws.
    """
    up = away_m > cell_size / 2
    down = ~up & (way_m < 0.5 * commanded_m)
    moved = level + up.to(torch.int64) - down.to(torch.int64)
    kept = moved.clamp(0, max_level)
    if not restart_at_random:
        return kept
    if uniform is None:
        raise ValueError("restart_at_random needs uniform draws")
    return torch.where(moved > max_level, drawn(uniform, max_level + 1), kept)
