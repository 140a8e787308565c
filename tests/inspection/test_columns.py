"""Columns of a task with a goal and an action by differential inverse kinematics."""

import numpy as np
import pytest

from genelab.inspection.columns import observation_columns, target_columns
from genelab.inspection.groups import inspect_group
from genelab.inspection.statistics import GroupStatistics
from genelab.records.demos import LayoutRow
from genelab.registry import get_task
from tests.export.conftest import layout_of

FRANKA = get_task("GeneLab-Franka-Pick-And-Place-v0")


def test_actions_are_displacements_and_flagged_where_they_are_cut():
    columns = target_columns(FRANKA.env)
    assert [column.name for column in columns] == ["hand_x", "hand_y", "hand_z", "gripper"]
    statistics = GroupStatistics(columns)
    ramp = np.linspace(-0.9, 0.9, 100)
    # x never reaches a limit, y does in a tenth of the steps, z goes far beyond, the gripper opens at once.
    bang = np.where(np.arange(100) % 10 == 0, 1.0, 0.5)
    statistics.add(np.stack([ramp, bang, 3.0 * ramp, np.ones(100)], axis=1).astype(np.float32))
    x, y, z, gripper = inspect_group("actions", statistics, seen="action").columns
    assert (x.min, x.max) == (pytest.approx(-0.045), pytest.approx(0.045))
    assert (x.share_clipped, x.share_saturated, x.flags) == (0.0, 0.0, ())
    assert (y.share_saturated, y.flags) == (0.1, ("saturated",))
    assert z.max == pytest.approx(0.135), "what it asks for, not what it gets"
    assert z.share_saturated == np.mean(np.abs(3.0 * ramp) >= 1.0) > 0.6
    # The whole range of the fingers in one step is 0.1 m for an action of 1.
    assert (gripper.mean, gripper.share_clipped) == (pytest.approx(0.1), 1.0)


def test_observation_groups_of_a_task_with_a_goal():
    named = {
        group: observation_columns(
            [LayoutRow.model_validate(row) for row in rows],  # pyright: ignore
            FRANKA.env.observations[group],
            noise=True,
        )
        for group, rows in layout_of(FRANKA).items()
    }
    assert {group: len(columns) for group, columns in named.items()} == {
        "observation": 35,
        "achieved_goal": 3,
        "desired_goal": 3,
    }
    columns = {column.name: column for column in named["observation"]}
    # The noise of a raw number is scaled as the value is.
    assert columns["joint_vel[joint1]"].noise == pytest.approx(0.005)
    assert columns["hand_position[z]"].noise == columns["cube_position[x]"].noise == 0.002
    assert columns["last_action[gripper]"].noise is None
    assert columns["goal_minus_cube[x]"].noise is None
    assert all(column.noise is None for group in ("achieved_goal", "desired_goal") for column in named[group])


def test_targets_of_joints_have_no_limit_that_cuts():
    [slider] = target_columns(get_task("GeneLab-Inverted-Pendulum-v1").env)
    assert (slider.name, slider.bounds, slider.clip, slider.factor) == ("slider", (-3.0, 3.0), None, 1.0)
