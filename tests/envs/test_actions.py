"""Actions on a robot of six straight axes, whose Jacobian is the identity: dq = dx / (1 + damping^2)."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.config.actions import DifferentialIkCfg, GripperCfg, JointTargetsCfg
from genelab.envs.actions import make_action
from genelab.mdp.rotations import quat_multiply
from genelab.mdp.state import Names

AXES = tuple("abcdef")
FINGERS = ("left", "right")
CFG = DifferentialIkCfg(
    link="hand",
    joints=AXES,
    scale=0.05,
    damping=0.5,
    orientation_gain=0.8,
    max_joint_step=0.2,
    gripper=GripperCfg(joints=FINGERS, scale=0.1, range=(0.0, 0.04)),
)
UPRIGHT = torch.tensor([1.0, 0.0, 0.0, 0.0])


@dataclass
class Robot:
    pos: Tensor
    quat: Tensor = field(default_factory=lambda: UPRIGHT)
    default: Tensor = field(default_factory=lambda: UPRIGHT)
    high: float = 1.0
    # The fingers stand between the axes: columns go by name.
    device = torch.device("cpu")
    names = Names(("a", "b", "left", "c", "d", "e", "right", "f"), ("base", "hand"))

    @property
    def default_link_quat_w(self) -> Tensor:
        return torch.stack([UPRIGHT, self.default])

    @property
    def joint_range(self) -> Tensor:
        return torch.tensor([[-1.0], [self.high]]).expand(2, 8)

    def joint_pos(self) -> Tensor:
        return self.pos

    def link_quat_w(self) -> Tensor:
        return torch.stack([UPRIGHT.expand(len(self.pos), 4), self.quat.expand(len(self.pos), 4)], dim=1)

    def jacobian(self, link: str) -> Tensor:
        assert link == "hand"
        jacobian = torch.zeros(6, 8)
        jacobian[range(6), self.names.joint_ids(AXES)] = 1.0
        return jacobian.expand(len(self.pos), 6, 8)


def _targets(action: list[float], cfg: DifferentialIkCfg = CFG, **robot: Any) -> list[float]:
    """Targets of the axes a to f, then of the fingers."""
    robot.setdefault("pos", torch.zeros(1, 8))
    return make_action(cfg, Robot(**robot)).targets(torch.tensor([action]))[0].tolist()


def test_a_displacement_is_damped_and_starts_from_the_sensed_position() -> None:
    sensed = torch.arange(8.0)[None] / 100
    a, b, _, c, d, e, _, f = sensed[0].tolist()
    step = 0.05 / 1.25
    expected = [a + step, b - step / 2, c, d, e, f]
    assert _targets([1.0, -0.5, 0.0, 0.0], pos=sensed)[:6] == pytest.approx(expected)


def test_an_action_is_clipped_to_one() -> None:
    assert _targets([3.0, -7.0, 1.5, 2.0]) == _targets([1.0, -1.0, 1.0, 1.0])


def test_the_hand_is_turned_back_to_its_default_orientation() -> None:
    # 0.1 rad about y: the target turns back 0.8 of it, damped.
    tilted = torch.tensor([math.cos(0.05), 0.0, math.sin(0.05), 0.0])
    expected = [0.0, 0.0, 0.0, 0.0, -0.8 * 0.1 / 1.25, 0.0]
    for quat in (tilted, -tilted):
        assert _targets([0.0] * 4, quat=quat)[:6] == pytest.approx(expected, abs=1e-6)


def test_the_turn_back_is_about_an_axis_of_the_world() -> None:
    # A hand that points down, tilted by 0.1 rad about the world's y, which is minus its own.
    down = torch.tensor([0.0, 1.0, 0.0, 0.0])
    tilted = quat_multiply(torch.tensor([math.cos(0.05), 0.0, math.sin(0.05), 0.0]), down)
    expected = [0.0, 0.0, 0.0, 0.0, -0.8 * 0.1 / 1.25, 0.0]
    assert _targets([0.0] * 4, quat=tilted, default=down)[:6] == pytest.approx(expected, abs=1e-6)


def test_steps_and_targets_have_limits() -> None:
    # 1.5 rad would be a step of 0.96 rad.
    tilted = torch.tensor([math.cos(0.75), math.sin(0.75), 0.0, 0.0])
    assert _targets([0.0] * 4, quat=tilted)[3] == pytest.approx(-0.2)
    assert _targets([1.0, 0.0, 0.0, 0.0], high=0.03)[0] == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("action", "target"), [(0.0, 0.02), (0.1, 0.03), (-0.1, 0.01), (0.2, 0.04), (0.4, 0.04), (-0.2, 0.0), (-1.0, 0.0)]
)
def test_the_fingers_share_a_target_around_their_mean(action: float, target: float) -> None:
    sensed = torch.zeros(1, 8)
    sensed[0, [2, 6]] = torch.tensor([0.005, 0.035])
    assert _targets([0.0, 0.0, 0.0, action], pos=sensed)[6:] == pytest.approx([target] * 2, abs=1e-7)


def test_columns_and_joints_have_names() -> None:
    assert CFG.columns(Robot.names.joints) == ("hand_x", "hand_y", "hand_z", "gripper")
    assert CFG.driven(Robot.names.joints) == (*AXES, *FINGERS)
    joints = JointTargetsCfg(joints=("b", "[ac]"), scale={"[ab]": 0.5, "c": 2.0})
    assert joints.columns("abcd") == joints.driven("abcd") == ("b", "a", "c")
    assert list(joints.scales("abcd").items()) == [("b", 0.5), ("a", 0.5), ("c", 2.0)]
    # All joints in the order of the robot, whatever their motors.
    assert list(JointTargetsCfg(scale={"[ac]": 1.0, "[bd]": 2.0}).scales("abcd").values()) == [1.0, 2.0, 1.0, 2.0]
