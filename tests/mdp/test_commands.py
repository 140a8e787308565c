import math
from typing import Any

import pytest
import torch

from genelab.mdp import commands, events
from genelab.mdp.state import EventContext, StateView
from genelab.rng import Stream

ROWS = 100_000
GOALS: dict[str, Any] = {
    "center": [0.5, -0.1],
    "half_width": 0.15,
    "ground": 0.02,
    "air": [0.03, 0.2],
    "air_share": 0.7,
}


def _state(**values: Any) -> StateView:
    empty = torch.zeros(2, 0)
    given = dict.fromkeys(StateView.__dataclass_fields__, empty) | values
    return StateView(**given)


def _context(name: str, rows: int = ROWS) -> EventContext:
    stream, index = Stream.of(0, name), torch.arange(rows)
    return EventContext(_state(), lambda dim: stream.uniform(index, torch.zeros_like(index), dim))


def _uniform(values: torch.Tensor, low: float, high: float) -> None:
    """Within the range, which it fills, with the mean and the spread of a uniform draw (5 standard errors)."""
    count, width = len(values), high - low
    assert low - 1e-6 <= float(values.min()) < low + 1e-3 * width + 1e-6
    assert high - 1e-3 * width - 1e-6 < float(values.max()) <= high + 1e-6
    assert float(values.mean()) == pytest.approx((low + high) / 2, abs=5 * width / math.sqrt(12 * count))
    assert float(values.std()) == pytest.approx(width / math.sqrt(12), rel=5 / math.sqrt(count))


def test_goals_are_above_a_square_in_the_air_or_on_the_ground() -> None:
    goal = commands.box_or_ground(_context("goal"), **GOALS)
    assert goal.shape == (ROWS, 3)
    _uniform(goal[:, 0], 0.35, 0.65)
    _uniform(goal[:, 1], -0.25, 0.05)
    ground = goal[:, 2] == torch.tensor(0.02)
    share = 1.0 - float(ground.float().mean())
    assert share == pytest.approx(0.7, abs=4 * math.sqrt(0.7 * 0.3 / ROWS))
    _uniform(goal[~ground, 2], 0.03, 0.2)
    # Height and place are drawn apart.
    for column in (0, 1):
        pair = torch.stack([goal[~ground, column], goal[~ground, 2]])
        assert abs(float(torch.corrcoef(pair)[0, 1])) < 5 / math.sqrt(ROWS)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_goals_may_be_on_the_ground_or_in_the_air(share: float) -> None:
    goal = commands.box_or_ground(_context("goal", 1000), **{**GOALS, "air_share": share})
    assert (goal[:, 2] == 0.02).all() == (share == 0.0)
    assert (goal[:, 2] >= 0.03).all() == (share == 1.0)


def test_an_object_is_put_upright_around_a_centre() -> None:
    write = events.uniform_object_position(_context("cube"), "cube", [0.5, -0.1, 0.02], [0.15, 0.05, 0.0])
    assert (write.joint_pos, write.joint_vel, list(write.object_pose_w)) == (None, None, ["cube"])
    pose = write.object_pose_w["cube"]
    assert pose.shape == (ROWS, 7)
    _uniform(pose[:, 0], 0.35, 0.65)
    _uniform(pose[:, 1], -0.15, -0.05)
    assert (pose[:, 2] == 0.02).all()
    assert torch.equal(pose[:, 3:], torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(ROWS, 4))
