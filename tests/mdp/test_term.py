"""What a function says of its columns and parameters, and what happens where it says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from genelab.config.base import Param
from genelab.config.terms import ObservationGroupCfg, ObservationTermCfg, RewardTermCfg
from genelab.envs.terms import ObservationGroup
from genelab.errors import InputError
from genelab.mdp.mirror import group_images
from genelab.mdp.params import Joints, JointValues
from genelab.mdp.term import XYZ, PerJoint, bind, joint_columns, term
from genelab.registry import get_task
from tests.export.conftest import layout_of, state_of

if TYPE_CHECKING:
    from genelab.config.env import EnvCfg
    from genelab.mdp.state import StateView

FRANKA = "GeneLab-Franka-Pick-And-Place-v0"
FLAT = "Genelab-Velocity-Flat-Unitree-Go1-v0"
GO1, GO2W, ROUGH = (
    get_task(task).env
    for task in (FLAT, "Genelab-Velocity-Flat-Unitree-Go2W-v0", "Genelab-Velocity-Rough-Unitree-Go1-v0")
)
OWN = "tests.mdp.test_term"


def undeclared(state: StateView, count: int) -> Tensor:
    """A third party's term, whose annotations are text and name what only a type checker imports."""
    return torch.zeros(1, count)


@term(XYZ, unit="m")
def too_narrow(state: StateView) -> Tensor:
    return torch.zeros(1, 2)


@term(PerJoint("joints"), unit="rad")
def joint_angles(state: StateView, joints: Joints = ("slider",)) -> Tensor:
    return torch.zeros(1, len(joints))


def stiffness(state: StateView, values: JointValues) -> dict[str, float]:
    return values


def env_of(task: str, func: str, **params: Param) -> EnvCfg:
    """The environment of a task that observes one term alone."""
    group = ObservationGroupCfg(terms={"own": ObservationTermCfg(func=f"{OWN}:{func}", params=params)}, noise=False)
    return get_task(task).env.model_copy(update={"observations": {"policy": group}})


def measured(env: EnvCfg) -> ObservationGroup:
    group = ObservationGroup("policy", env, noise=False)
    group.measure(state_of(env), None)
    return group


def test_the_layout_names_columns_and_units() -> None:
    rows = {row["name"]: (row["columns"], row["unit"]) for row in layout_of(get_task(FRANKA))["observation"]}
    assert rows["joint_vel"][0][6:] == ["joint7", "finger_joint1", "finger_joint2"]
    assert rows["joint_vel"][1] == "m/s or rad/s"
    assert rows["last_action"] == (["hand_x", "hand_y", "hand_z", "gripper"], "")
    # Those of the term that draws the goal.
    assert rows["goal_minus_cube"] == (["x", "y", "z"], "m")


def test_a_command_has_the_columns_of_its_own_term() -> None:
    command = bind("c", GO1.observations["policy"].terms["command"], GO1)
    assert (command.columns(), command.unit()) == (("x", "y", "turn"), "m/s, m/s and rad/s")
    assert command.images() == [(0, 1.0), (1, -1.0), (2, -1.0)]


def test_points_of_a_scan_are_named_by_where_they_are() -> None:
    names = bind("s", ROUGH.observations["policy"].terms["height_scan"], ROUGH).columns()
    assert names is not None
    assert (len(names), names[0], names[11], names[-1]) == (187, "x=-0.8 y=-0.5", "x=-0.7 y=-0.5", "x=0.8 y=0.5")


def test_columns_of_joints_are_found_in_every_frame_and_not_among_the_actions() -> None:
    # Angular velocity, gravity, then the legs before the wheels.
    first = 6 + 12
    of_a_frame = [first, first + 16]
    assert joint_columns(GO2W, "policy", ["FL_wheel_joint"]) == [57 * k + c for k in range(5) for c in of_a_frame]


def test_a_term_that_declares_nothing_works_where_no_meaning_is_needed() -> None:
    env = env_of(FLAT, "undeclared", count=2)
    [row] = measured(env).layout()
    assert (row["columns"], row["unit"], row["stop"]) == (["0", "1"], None, 2)
    assert joint_columns(env, "policy", ()) == []
    path = rf"^env\.observations\.policy\.terms\.own\.func = '{OWN}:undeclared': does not say "
    with pytest.raises(InputError, match=path + "how its mirror image looks"):
        group_images(env, "policy")
    with pytest.raises(InputError, match=path + "what its columns are"):
        joint_columns(env, "policy", ["FL_hip_joint"])


def test_a_term_that_says_wrong_is_named() -> None:
    with pytest.raises(InputError, match=r"terms\.own\.func = .* says that it has the columns x, y, z, and has 2$"):
        measured(env_of(FLAT, "too_narrow"))
    with pytest.raises(ValueError, match="must have a sign for each"):
        term(XYZ, mirror=(1.0, -1.0))


def test_defaults_of_parameters_are_arguments_like_others() -> None:
    [row] = measured(env_of("GeneLab-Inverted-Pendulum-v1", "joint_angles")).layout()
    assert row["columns"] == ["slider"]
    with pytest.raises(InputError, match=r"joints = .*: unknown joint 'slider'"):
        measured(env_of(FLAT, "joint_angles"))


def test_patterns_become_names_before_the_function_sees_them() -> None:
    env = env_of("Genelab-Velocity-Flat-Unitree-Go1-v0", "joint_angles", joints=["F._calf_joint", "RR_hip_joint"])
    [row] = measured(env).layout()
    assert row["columns"] == [name for name in GO1.robot.joints if "F" in name and "calf" in name] + ["RR_hip_joint"]
    assert row["params"] == {"joints": ["F._calf_joint", "RR_hip_joint"]}
    by_pattern = {".*_calf_joint": 2.0, ".*_(hip|thigh)_joint": 1.0}
    term = bind("r", RewardTermCfg(func=f"{OWN}:stiffness", weight=1.0, params={"values": by_pattern}), GO1)
    assert term(None) == {name: 2.0 if "calf" in name else 1.0 for name in GO1.robot.joints}
    assert list(term(None)) == list(GO1.robot.joints)


def test_a_command_that_is_itself_says_nothing() -> None:
    command = GO1.commands["velocity"].model_copy(
        update={"func": "genelab.mdp.observations:command", "params": {"command": "velocity"}}
    )
    env = GO1.model_copy(update={"commands": {"velocity": command}})
    assert bind("c", command, env).columns() is None


@pytest.mark.parametrize("count", [True, "2", [2]])
def test_values_are_of_the_type_that_is_written(count: object) -> None:
    cfg = RewardTermCfg(func=f"{OWN}:undeclared", weight=1.0, params={"count": count})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^r\.params\.count = .*: Input should be a valid integer"):
        bind("r", cfg, GO1)
