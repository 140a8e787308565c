import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from genelab.families.velocity import commands
from genelab.families.velocity.curriculum import terrain_levels
from genelab.registry import get_task


def _next(
    level: list[int], away: list[float], way: list[float], commanded: list[float], **options: object
) -> list[int]:
    new = terrain_levels(
        torch.tensor(level),
        torch.tensor(away),
        torch.tensor(way),
        torch.tensor(commanded),
        cell_size=8.0,
        max_level=9,
        **options,  # pyright: ignore[reportArgumentType]
    )
    assert new.dtype == torch.int64
    return new.tolist()


@pytest.mark.parametrize(
    ("level", "away", "way", "commanded", "new"),
    [
        (3, 4.1, 0.0, 10.0, 4),  # left the cell, whatever it made of its way
        (3, 4.0, 2.0, 4.0, 3),  # on the edge, and made just half
        (3, 3.9, 4.9, 10.0, 2),
        (3, 0.1, 9.0, 10.0, 3),  # followed its commands there and back
        (3, 0.0, 0.0, 0.0, 3),  # told to stand, and stood
        (3, 3.0, -1.0, 0.2, 2),  # carried itself off the other way
        (3, 0.05, 0.05, 0.2, 2),  # fell after 0.2 s at 1 m/s, without moving
        (3, 0.15, 0.15, 0.2, 3),  # fell after 0.2 s, on its way
        (0, 0.0, 0.0, 10.0, 0),
        (9, 5.0, 5.0, 10.0, 9),
    ],
)
def test_a_level_moves_by_the_way_made_of_the_way_asked_for(
    level: int, away: float, way: float, commanded: float, new: int
):
    assert _next([level], [away], [way], [commanded]) == [new]


def test_who_follows_every_command_exactly_is_never_moved_down():
    """By its distance it often would be: commands change and turn, so it comes back."""
    robots, control_dt, steps = 2000, 0.02, 1000
    stream = torch.Generator().manual_seed(0)
    env = get_task("Genelab-Velocity-Rough-Unitree-Go1-v0").env
    velocity = env.commands["velocity"]
    assert velocity.resample_s is not None

    def uniform(dim: int) -> Tensor:
        return torch.rand(robots, dim, generator=stream)

    def drawn() -> Tensor:
        return commands.velocity(SimpleNamespace(uniform=uniform), **velocity.params)  # pyright: ignore

    pos, heading = uniform(2) - 0.5, 2.0 * math.pi * uniform(1)[:, 0]
    command, timer, commanded = drawn(), torch.zeros(robots), torch.zeros(robots)
    for _ in range(steps):
        due = timer <= 0.0
        command = torch.where(due[:, None], drawn(), command)
        low, high = velocity.resample_s
        timer = torch.where(due, low + (high - low) * uniform(1)[:, 0], timer) - control_dt
        x, y, turn = command.T
        sin, cos = heading.sin(), heading.cos()
        pos = pos + control_dt * torch.stack([x * cos - y * sin, x * sin + y * cos], dim=1)
        heading = heading + control_dt * turn
        commanded = commanded + control_dt * command[:, :2].norm(dim=1)
    away = pos.norm(dim=1)
    by_distance = (away <= 4.0) & (away < 0.5 * commanded)
    assert by_distance.double().mean() == pytest.approx(0.38, abs=0.04)
    level = torch.full((robots,), 5)
    moved = terrain_levels(level, away, commanded, commanded, cell_size=8.0, max_level=9)
    assert (moved >= level).all()
    assert (moved > level).double().mean() > 0.5


def test_who_passes_the_last_level_may_start_anywhere():
    uniform = torch.tensor([0.0, 0.55, 1.0 - 2.0**-24, 0.1])
    # The last one stays below the top, and its draw counts for nothing.
    assert _next([9, 9, 9, 8], [5.0] * 4, [0.0] * 4, [0.0] * 4, restart_at_random=True, uniform=uniform) == [0, 5, 9, 9]


def test_a_restart_needs_draws():
    with pytest.raises(ValueError, match="restart_at_random needs uniform draws"):
        _next([9], [5.0], [0.0], [0.0], restart_at_random=True)


def test_nothing_moves_a_level_by_more_than_one_or_off_the_grid():
    level = torch.arange(10).repeat(50)
    away, way, commanded = _drawn(500, 8.0, 0), _drawn(500, 10.0, 2), _drawn(500, 20.0, 1)
    new = terrain_levels(level, away, way, commanded, cell_size=8.0, max_level=9)
    assert (new - level).abs().max() == 1
    assert (int(new.min()), int(new.max())) == (0, 9)


def _drawn(count: int, scale: float, seed: int) -> Tensor:
    return scale * torch.rand(count, generator=torch.Generator().manual_seed(seed))
