"""Curricula: how hard the next episode of an environment is."""

import torch
from torch import Tensor


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
    # The product may round up to the number of levels.
    drawn = (uniform * (max_level + 1)).to(torch.int64).clamp(max=max_level)
    return torch.where(moved > max_level, drawn, kept)
