"""Actuators whose force is computed here: limits that hold in the formula and in the motion."""

import math

import pytest
import torch

from genelab.config.env import EnvCfg
from genelab.mdp.state import StateWrite
from genelab.registry import get_task
from genelab.sim.actuators import limited
from genelab.sim.genesis.simulation import Simulation
from genelab.sim.session import Session

V1 = "GeneLab-Inverted-Pendulum-v1"
N = 16
"""As many environments as elsewhere: Genesis compiles for each number anew."""


def _limited(force: float, speed: float, effort: float, fastest: float) -> float:
    return float(
        limited(*(torch.tensor([[value]]) for value in (force, speed)), torch.tensor([effort]), torch.tensor([fastest]))
    )


@pytest.mark.parametrize(
    ("force", "speed", "given"),
    [
        (3.0, 0.0, 3.0),
        (50.0, 0.0, 20.0),
        (-50.0, 0.0, -20.0),
        # At a quarter of the fastest speed, three quarters are left in its direction, and all against it.
        (50.0, 2.0, 15.0),
        (-50.0, 2.0, -20.0),
        (50.0, -2.0, 20.0),
        (-50.0, -2.0, -15.0),
        # Faster than that, nothing; it never pushes backwards by itself.
        (50.0, 9.0, 0.0),
        (3.0, 7.9, 0.25),
    ],
)
def test_a_motor_has_less_left_the_faster_it_turns(force: float, speed: float, given: float) -> None:
    assert _limited(force, speed, 20.0, 8.0) == pytest.approx(given)


def test_without_limits_everything_is_given() -> None:
    assert _limited(1e6, 1e3, math.inf, math.inf) == 1e6


def _explicit(effort_limit: float | None, velocity_limit: float | None = None) -> EnvCfg:
    env = get_task(V1).env
    changes = {
        "law": "explicit_pd",
        "kp": 100.0,
        "kv": 0.0,
        "effort_limit": effort_limit,
        "velocity_limit": velocity_limit,
    }
    cart = env.robot.actuators["cart"].model_copy(update=changes)
    robot = env.robot.model_copy(update={"actuators": {**env.robot.actuators, "cart": cart}})
    return env.model_copy(update={"robot": robot})


def _gain(env: EnvCfg, session: Session, speed: float) -> float:
    """What one physics step towards a target 1 m away adds to the cart's speed, m/s, beyond a step without force."""
    sim = Simulation(env, N, session)
    cart = sim.names.joint_ids(["slider"])[0]
    gained, everywhere = [], torch.ones(N, dtype=torch.bool)
    for target in (1.0, 0.0):
        sim.reset(everywhere)
        velocity = torch.zeros(N, len(sim.names.joints))
        velocity[:, cart] = speed
        sim.write(StateWrite(joint_vel=velocity), everywhere)
        sim.set_targets(torch.full((N, 1), target))
        sim.step()
        gained.append(float(sim.joint_vel()[0, cart]))
    return gained[0] - gained[1]


@pytest.mark.sim
@pytest.mark.xdist_group("sim")
def test_limits_are_felt_by_what_is_driven(sim_session: Session) -> None:
    free = _gain(_explicit(None), sim_session, 0.0)
    assert free > 0.01
    # 2 of the 100 N that the law asks for, and half of those at half of the fastest speed.
    assert _gain(_explicit(2.0), sim_session, 0.0) / free == pytest.approx(0.02, rel=0.02)
    assert _gain(_explicit(2.0, 1.0), sim_session, 0.5) / free == pytest.approx(0.01, rel=0.02)
    assert _gain(_explicit(2.0), sim_session, 0.5) / free == pytest.approx(0.02, rel=0.02)


@pytest.mark.sim
@pytest.mark.xdist_group("sim")
def test_explicit_forces_go_to_their_own_joints_among_others(sim_session: Session) -> None:
    """Joints in another order than the model's, two laws, damping, and one limit of several."""
    env = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env
    actuators = env.robot.actuators
    calves = actuators["calves"].model_copy(update={"law": "explicit_pd", "kp": 20.0, "kv": 1.5, "effort_limit": 6.0})
    robot = env.robot.model_copy(update={"actuators": {**actuators, "calves": calves}})
    order = tuple(sorted(env.robot.joints, reverse=True))
    action = env.action.model_copy(update={"joints": order})
    env = env.model_copy(update={"robot": robot, "action": action})
    sim = Simulation(env, 8, sim_session)
    everywhere = torch.ones(8, dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    pos = sim.default_joint_pos + 0.2 * torch.randn(8, 12, generator=generator)
    vel = torch.randn(8, 12, generator=generator)
    targets = sim.default_targets + 0.3 * torch.randn(8, 12, generator=generator)
    # High above the ground.
    sim.write(StateWrite(base_pose_w=torch.tensor([[0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0]] * 8)), everywhere)
    sim.write(StateWrite(joint_pos=pos), everywhere)
    sim.write(StateWrite(joint_vel=vel), everywhere)
    sim.set_targets(targets)
    sim.step()
    exerted = sim.joint_torque()
    limited_ones = 0
    for name in robot.joints_of(calves):
        column = sim.names.joint_ids([name])[0]
        wanted = 20.0 * (targets[:, order.index(name)] - pos[:, column]) - 1.5 * vel[:, column]
        limited_ones += int((wanted.abs() > 6.0).sum())
        assert exerted[:, column].tolist() == pytest.approx(wanted.clamp(-6.0, 6.0).tolist(), rel=1e-4)
    assert 0 < limited_ones < 32
