"""What every engine must do, on an engine that is handed in."""

import mujoco
import pytest
import torch
from torch import Tensor

from genelab.config.base import resolve_asset
from genelab.config.scene import RobotCfg
from genelab.mdp.rotations import quat_conjugate, quat_multiply, rotation_vector
from genelab.mdp.state import StateWrite
from genelab.sim.engine import Engine


def everywhere(sim: Engine) -> Tensor:
    return torch.ones(sim.num_envs, dtype=torch.bool)


def require_the_jacobian_of_the_hand(sim: Engine) -> None:
    """Central differences of position and orientation in the world frame, at a configuration per environment."""
    change = 0.4 * torch.randn(4, 9, generator=torch.Generator().manual_seed(3))
    change[:, 7:] = -0.02
    pose, hand = sim.default_joint_pos + change, sim.names.link_id("hand")

    def moved(column: int, by: float) -> tuple[Tensor, Tensor]:
        step = torch.zeros(9)
        step[column] = by
        sim.write(StateWrite(joint_pos=pose + step), everywhere(sim))
        return sim.link_pos_w()[:, hand].clone(), sim.link_quat_w()[:, hand].clone()

    sim.write(StateWrite(joint_pos=pose), everywhere(sim))
    jacobian = sim.jacobian("hand").clone()
    assert jacobian.shape == (4, 6, 9)
    for column in range(9):
        (ahead, ahead_quat), (behind, behind_quat) = moved(column, 1e-3), moved(column, -1e-3)
        turn = rotation_vector(quat_multiply(ahead_quat, quat_conjugate(behind_quat)))
        expected = torch.cat([ahead - behind, turn], dim=1) / 2e-3
        torch.testing.assert_close(jacobian[:, :, column], expected, rtol=0.0, atol=1e-3)
    # The fingers do not move the hand; every joint of the arm turns it by one rad per rad.
    assert torch.equal(jacobian[:, :, 7:], torch.zeros(4, 6, 2))
    torch.testing.assert_close(jacobian[:, 3:, :7].norm(dim=1), torch.ones(4, 7))


def require_the_fall_of_plain_mujoco(sim: Engine, robot: RobotCfg) -> None:
    """0.2 s from a tilted start, the cart under its PD law, against MuJoCo with a fine explicit integration."""
    model = mujoco.MjModel.from_xml_path(str(resolve_asset(robot.model)))
    model.opt.timestep = 1e-4
    data = mujoco.MjData(model)
    joints = len(robot.joints)
    start = [0.02, 0.1, -0.05][:joints]
    data.qpos[:] = start
    cart = robot.actuators["cart"]
    for _ in range(2000):
        data.qfrc_applied[0] = cart.kp * (-0.1 - data.qpos[0]) - cart.kv * data.qvel[0]
        mujoco.mj_step(model, data)

    count = sim.num_envs
    sim.reset(everywhere(sim))
    sim.write(StateWrite(joint_pos=torch.tensor(start).expand(count, joints).contiguous()), everywhere(sim))
    sim.write(StateWrite(joint_vel=torch.zeros(count, joints)), everywhere(sim))
    sim.set_targets(torch.full((count, 1), -0.1))
    sim.advance(40)
    assert abs(float(data.qpos[1])) > 0.2
    assert sim.joint_pos()[count - 2].tolist() == pytest.approx(list(data.qpos), rel=0.03, abs=0.003)


def require_the_force_of_a_hand_on_the_thigh(sim: Engine) -> None:
    """Two G1 in the air; the second one presses its left hand on its thigh. The first one touches nothing."""
    count = sim.num_envs
    pose = torch.tensor([[0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0]]).repeat(count, 1)
    sim.reset(everywhere(sim))
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.repeat(count, 1), base_pose_w=pose), everywhere(sim))
    targets = sim.default_targets.repeat(count, 1)
    for name, value in {"hip_pitch": -1.2, "shoulder_roll": -0.3, "elbow": 0.4, "shoulder_pitch": 0.4}.items():
        targets[1, sim.names.joints.index(f"left_{name}_joint")] = value
    largest = torch.zeros(count)
    for _ in range(20):
        sim.set_targets(targets)
        sim.advance(10)
        largest = torch.maximum(largest, sim.self_contact_force())
    assert largest[0] == 0.0
    # The motors of the arm have 25 N m, and the hand is some 0.3 m from the shoulder.
    assert 10.0 < largest[1] < 1000.0


def require_it_falls_within_two_seconds_under_its_gains(sim: Engine) -> None:
    """A G1 that is told nothing but its default pose: m g h about the ankles is more than their stiffness holds."""
    count = sim.num_envs
    pose = torch.tensor([[0.0, 0.0, 0.76, 1.0, 0.0, 0.0, 0.0]]).repeat(count, 1)
    sim.reset(everywhere(sim))
    sim.write(StateWrite(joint_pos=sim.default_joint_pos.repeat(count, 1), base_pose_w=pose), everywhere(sim))
    height: list[float] = []
    for _ in range(100):
        sim.set_targets(sim.default_targets.repeat(count, 1))
        sim.advance(10)
        height.append(float(sim.link_pos_w()[0, 0, 2]))
    # Still up after half a second, down after two.
    assert height[25] > 0.7
    assert height[-1] < 0.4
