import math
from collections.abc import Callable

import pytest
import torch

from genelab.errors import InputError, RunError
from genelab.mdp.state import StateWrite
from genelab.registry import get_task
from genelab.sim.genesis import read_back
from genelab.sim.genesis.simulation import Simulation
from genelab.sim.read_back import writes
from genelab.sim.session import Session
from tests.sim.motions import (
    require_it_falls_within_two_seconds_under_its_gains,
    require_the_fall_of_plain_mujoco,
    require_the_force_of_a_hand_on_the_thigh,
)

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

Build = Callable[[str, int], Simulation]
V0, V1 = "GeneLab-Inverted-Pendulum-v0", "GeneLab-Inverted-Pendulum-v1"
DOUBLE = "GeneLab-Double-Inverted-Pendulum-v1"
G1 = "Genelab-Velocity-Flat-Unitree-G1-v0"
N = 16
"""As many environments as elsewhere, where a test does not mind: Genesis compiles for each number anew."""


@pytest.mark.parametrize(
    ("other", "told"),
    [
        # The published traps: a loader that adds 0.1, and ranges read as degrees.
        (V1, r"joint 'slider': the simulator holds armature = 0.1\d*, the model file says 0.0"),
        (DOUBLE, r"the simulator holds 2 degrees of freedom, the model file has 3 joints"),
    ],
)
def test_a_robot_that_is_not_what_its_file_says_is_an_error(build: Build, other: str, told: str):
    sim, robot = build(V0, N), get_task(other).env.robot
    with pytest.raises(RunError, match=told):
        read_back.robot(sim._robot, sim._dofs, robot)


def test_a_range_that_was_read_otherwise_is_an_error(build: Build):
    # With the armature of V0, so that the ranges alone differ.
    sim, robot = build(V0, N), get_task(V1).env.robot.model_copy(update={"default_armature": 0.1})
    with pytest.raises(RunError, match=r"joint 'hinge': the simulator holds range\[0\] = -0.0209\d*, the model file "):
        read_back.robot(sim._robot, sim._dofs, robot)


def test_the_armature_of_the_loader_is_the_one_in_the_config(sim_session: Session):
    env = get_task(V1).env
    changed = env.robot.model_copy(update={"default_armature": 0.1})
    sim = Simulation(env.model_copy(update={"robot": changed}), N, sim_session)
    with pytest.raises(RunError, match=r"joint 'slider': the simulator holds armature = 0.1\d*, the model file "):
        read_back.robot(sim._robot, sim._dofs, env.robot)


@pytest.mark.parametrize("task_id", [V1, DOUBLE])
def test_the_pole_falls_as_in_mujoco(build: Build, task_id: str):
    require_the_fall_of_plain_mujoco(build(task_id, 4), get_task(task_id).env.robot)


def test_the_g1_feels_that_it_touches_itself_and_falls_without_a_policy(build: Build) -> None:
    sim = build(G1, 2)
    # The capsules of one foot, without the balls that the model has beside them.
    assert sim._robot.get_link("left_ankle_roll_link").n_geoms == 7
    require_the_force_of_a_hand_on_the_thigh(sim)
    require_it_falls_within_two_seconds_under_its_gains(sim)


def test_the_armature_slows_the_published_pole(build: Build):
    """Angle after 0.2 s within the stops: about 2.4 times slower fall rate with armature 0.1 than without."""
    tilt = math.radians(0.2)
    angles = {}
    for task_id in (V0, V1):
        sim = build(task_id, N)
        everywhere = torch.ones(N, dtype=torch.bool)
        sim.reset(everywhere)
        sim.write(StateWrite(joint_pos=torch.tensor([[0.0, tilt]] * N)), everywhere)
        sim.write(StateWrite(joint_vel=torch.zeros(N, 2)), everywhere)
        sim.set_targets(torch.zeros(N, 1))
        for _ in range(40):
            sim.step()
        angles[task_id] = float(sim.joint_pos()[0, 1])
    # cosh(rate t) with rates 1.79 and 4.24 1/s, the cart nearly held.
    assert angles[V0] / tilt == pytest.approx(math.cosh(1.79 * 0.2), rel=0.02)
    assert angles[V1] / tilt == pytest.approx(math.cosh(4.24 * 0.2), rel=0.04)


@pytest.mark.parametrize("setter", ["set_qpos", "set_dofs_velocity"])
def test_a_setter_that_does_nothing_is_an_error(sim_session: Session, setter: str):
    sim = Simulation(get_task(V1).env, N, sim_session)
    setattr(sim._robot, setter, lambda *_, **__: None)
    with pytest.raises(RunError, match="read back from the simulator are not those written"):
        writes(sim, None)


def test_a_gain_or_a_mass_that_was_not_taken_is_an_error(sim_session: Session):
    env = get_task(V1).env
    sim = Simulation(env, N, sim_session)
    sim._robot.set_dofs_kv([7.0], sim._drives._dofs["implicit_pd"])
    with pytest.raises(RunError, match="joint 'slider': the simulator holds kv = 7.0, the config says 8.0"):
        read_back.robot(sim._robot, sim._dofs, env.robot)
    sim._robot.set_links_mass([0.5], [sim._robot.get_link("pole").idx_local])
    with pytest.raises(RunError, match="link 'pole': the simulator holds mass = 0.5, the model file says 0.1"):
        read_back.robot(sim._robot, sim._dofs, env.robot)


def test_writes_touch_masked_environments_only(build: Build):
    sim = build(V1, 4)
    everywhere = torch.ones(4, dtype=torch.bool)
    sim.reset(everywhere)
    sim.write(StateWrite(joint_pos=torch.full((4, 2), 0.1)), everywhere)
    sim.write(StateWrite(joint_vel=torch.full((4, 2), 0.2)), everywhere)
    some = torch.tensor([False, True, False, True])
    sim.write(StateWrite(joint_pos=torch.arange(8.0).reshape(4, 2) / 100), some)
    # A position write must not clear velocities.
    assert torch.equal(sim.joint_vel(), torch.full((4, 2), 0.2))
    assert sim.joint_pos()[:, 0].tolist() == pytest.approx([0.1, 0.02, 0.1, 0.06])
    sim.write(StateWrite(joint_vel=torch.full((4, 2), -1.0)), some)
    assert sim.joint_vel()[:, 1].tolist() == pytest.approx([0.2, -1.0, 0.2, -1.0])
    sim.reset(some)
    assert sim.joint_pos()[:, 0].tolist() == pytest.approx([0.1, 0.0, 0.1, 0.0])


def test_angular_velocity_of_the_link_follows_a_velocity_write(build: Build):
    sim = build(DOUBLE, 4)
    everywhere = torch.ones(4, dtype=torch.bool)
    sim.reset(everywhere)
    sim.write(StateWrite(joint_vel=torch.tensor([[0.0, 1.0, 0.5]] * 4)), everywhere)
    pole = sim.names.link_id("pole_2")
    assert sim.link_ang_vel_w()[0, pole].tolist() == pytest.approx([0.0, 1.5, 0.0], abs=1e-6)
    assert sim.link_quat_w()[0, pole].tolist() == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-6)


def test_a_restored_state_goes_on_bit_equal(build: Build):
    sim = build(V0, N)

    def roll() -> list[torch.Tensor]:
        states = []
        for k in range(60):
            sim.set_targets(torch.linspace(-1, 1, N)[:, None] * (-1) ** (k // 7))
            sim.step()
            states.append(torch.cat([sim.joint_pos(), sim.joint_vel()], dim=1).clone())
        return states

    roll()
    saved = sim.state_dict()
    first = roll()
    sim.load_state_dict(saved)
    assert all(torch.equal(a, b) for a, b in zip(first, roll(), strict=True))
    del saved["steps"]
    with pytest.raises(InputError, match="arrays differ"):
        sim.load_state_dict(saved)
