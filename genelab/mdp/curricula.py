"""Curricula: how hard the next episode of an environment is."""

import torch
from torch import Tensor


def terrain_levels(
    level: Tensor,
    distance_walked_m: Tensor,
    commanded_distance_m: Tensor,
    cell_size: float,
    max_level: int,
    *,
    restart_at_random: bool = False,
    uniform: Tensor | None = None,
) -> Tensor:
    """Levels of the next episodes: up for who left the cell, down for who walked less than half of what was asked.

    Args:
        level: of the episode that ended, int64. Shape: (num_envs,).
        distance_walked_m: planar distance from the cell's centre to where it ended, m. Shape: (num_envs,).
        commanded_distance_m: planar commanded speed of that same episode, summed over the time that it lasted, m. An
            early fall is then judged by the time there was. Shape: (num_envs,).
        cell_size: side of a cell, m. Half of it leads from the centre over the edge.
        max_level: the hardest level.
        restart_at_random: whether who passes the hardest level goes on at any level instead of staying.
        uniform: draws in [0, 1) for that, needed if it is on. Shape: (num_envs,).

    Returns:
        Levels in 0..max_level, int64. Shape: (num_envs,).

    Raises:
        ValueError: if `restart_at_random` is on without draws.
    """
    up = distance_walked_m > cell_size / 2
    down = ~up & (distance_walked_m < 0.5 * commanded_distance_m)
    moved = level + up.to(torch.int64) - down.to(torch.int64)
    kept = moved.clamp(0, max_level)
    if not restart_at_random:
        return kept
    if uniform is None:
        raise ValueError("restart_at_random needs uniform draws")
    # The product may round up to the number of levels.
    drawn = (uniform * (max_level + 1)).to(torch.int64).clamp(max=max_level)
    return torch.where(moved > max_level, drawn, kept)
