"""What a robot on two legs feels, and the terms that read it, without a simulator."""

import math

import pytest
import torch

from genelab.envs.parts.feet import Feet
from genelab.envs.purpose import Purpose
from genelab.families.velocity import terms
from genelab.families.velocity.observations import foot_height
from genelab.families.velocity.sensors import (
    Momentum,
    MomentumState,
    SelfContact,
    SelfContactState,
    Swing,
    SwingState,
)
from genelab.mdp import locomotion, observations
from genelab.mdp.state import BaseState, FeetState, Names, StateView, View
from genelab.mdp.term import bind
from genelab.mdp.terrain import HeightMap
from genelab.registry import get_task
from tests.envs.world import world
from tests.states import base_state, state_view

G1 = get_task("Genelab-Velocity-Flat-Unitree-G1-v0").env
NAMES = Names(G1.robot.joints, G1.robot.links)
MOVES = torch.tensor([[0.5, 0.0, 0.0]])
WALK = {"command": "velocity", "threshold": 0.05, "axes": ("x", "y", "turn")}


def _state(
    height: tuple[float, float] = (0.0, 0.0),
    contact: tuple[bool, bool] = (True, True),
    air_s: tuple[float, float] = (0.0, 0.0),
    vel_w: tuple[list[float], list[float]] = ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    force_w: tuple[list[float], list[float]] = ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    asked: torch.Tensor = MOVES,
    **views: View,
) -> StateView:
    """One robot; its left foot at x = 0, its right one at x = 1."""
    feet = FeetState(
        pos_w=torch.tensor([[[0.0, 0.0, height[0]], [1.0, 0.0, height[1]]]]),
        vel_w=torch.tensor([vel_w]),
        contact=torch.tensor([contact]),
        air_s=torch.tensor([air_s]),
        force_w=torch.tensor([force_w]),
    )
    shown = {FeetState: feet, BaseState: base_state(NAMES, 1), **{type(view): view for view in views.values()}}
    # The ground rises by 0.1 m from x = 0 to x = 1.
    ground = HeightMap(torch.tensor([[0.0, 0.0], [0.1, 0.1]]), 1.0, (0.0, -0.5))
    return state_view(NAMES, 1, commands={"velocity": asked}, terrain=ground, views=shown)


def _swing_state(peak: tuple[float, float], landed: tuple[bool, bool], height: tuple[float, float]) -> SwingState:
    return SwingState(torch.tensor([height]), torch.tensor([landed]), torch.tensor([peak]))


def test_a_swing_ends_with_the_landing_and_tells_how_high_it_was() -> None:
    swing = Swing(world(G1, 1))
    # Height of the left foot, whether it touches, and for how long it has been in the air.
    course = [(0.00, True, 0.0), (0.02, False, 0.02), (0.09, False, 0.04), (0.05, False, 0.06), (0.01, True, 0.0)]
    seen: list[tuple[bool, float]] = []
    for height, contact, air_s in [*course, (0.0, True, 0.0)]:
        state = _state((height, 0.1), (contact, True), (air_s, 0.0))
        view = swing.view(state)
        seen.append((bool(view.landed[0, 0]), round(float(view.peak[0, 0]), 6)))
        state = _state((height, 0.1), (contact, True), (air_s, 0.0), swing=view)
        swing.keep(state)
        assert not view.landed[0, 1]
    assert seen == [(False, 0.0), (False, 0.0), (False, 0.02), (False, 0.09), (True, 0.09), (False, 0.0)]


def test_height_is_above_the_ground_beneath_the_foot() -> None:
    view = Swing(world(G1, 1)).view(_state((0.3, 0.3)))
    assert view.height.tolist() == [pytest.approx([0.3, 0.2])]
    assert foot_height(_state(swing=view)).tolist() == [pytest.approx([0.3, 0.2])]


def test_a_new_episode_lands_from_no_swing() -> None:
    swing = Swing(world(G1, 1))
    view = swing.view(state := _state((0.05, 0.1), (False, True), (0.04, 0.0)))
    swing.keep(_state((0.05, 0.1), (False, True), (0.04, 0.0), swing=view))
    assert swing.view(_state()).landed[0, 0]
    swing.start(torch.tensor([True]))
    assert not swing.view(_state()).landed.any()
    assert not swing.view(state).peak.any()


def test_rewards_of_a_swing() -> None:
    landed = _swing_state((0.05, 0.3), (True, True), (0.0, 0.0))
    # (0.5 - 1)^2 and (3 - 1)^2.
    assert terms.foot_swing_height(_state(swing=landed), height=0.1, **WALK).tolist() == pytest.approx([4.25])
    high = _swing_state((0.9, 0.3), (True, False), (0.0, 0.0))
    assert terms.foot_swing_height(_state(swing=high), height=0.1, **WALK).tolist() == pytest.approx([9.0])
    still = torch.zeros(1, 3)
    assert terms.foot_swing_height(_state(swing=high, asked=still), height=0.1, **WALK).tolist() == [0.0]
    moving = _swing_state((0.0, 0.0), (False, False), (0.04, 0.1))
    state = _state(vel_w=([0.3, 0.4, 9.0], [1.0, 0.0, 0.0]), swing=moving)
    # 6 cm too low at 0.5 m/s, and just right at 1 m/s.
    assert terms.foot_clearance(state, height=0.1, **WALK).tolist() == pytest.approx([0.03])
    force = ([0.0, 30.0, 40.0], [0.0, 0.0, 100.0])
    assert terms.soft_landing(_state(force_w=force, swing=high), **WALK).tolist() == pytest.approx([50.0])
    assert terms.soft_landing(_state(force_w=force, swing=high, asked=still), **WALK).tolist() == [0.0]


def test_self_contact_is_remembered_for_a_few_steps() -> None:
    force = torch.zeros(2)
    part = SelfContact(world(G1, 2, self_contact_force=lambda: force), 10.0, 4)
    seen: list[float] = []
    for pressed in (10.0, 10.1, 50.0, 0.0, 0.0, 0.0, 0.0):
        force[0] = pressed
        part.sense()
        state = state_view(NAMES, 2, views={SelfContactState: part.view(_state())})
        seen.append(terms.self_collisions(state)[0].item())
    assert seen == [0.0, 1.0, 2.0, 2.0, 2.0, 1.0, 0.0]
    force[:] = 20.0
    part.sense()
    part.start(torch.tensor([True, False]))
    assert part.view(_state()).hits.tolist() == [0, 1]


def test_angular_momentum_is_that_of_points_about_the_base() -> None:
    part = Momentum(world(G1, 1, names=NAMES))
    pos, vel = torch.zeros(1, len(NAMES.links), 3), torch.zeros(1, len(NAMES.links), 3)
    hand = NAMES.link_id("left_wrist_yaw_link")
    # 0.5 m to the left of a base at (1, 2, 3), going forward at 2 m/s; the base itself moves and adds nothing.
    pos[:] = torch.tensor([1.0, 2.0, 3.0])
    pos[0, hand, 1] += 0.5
    vel[0, hand] = torch.tensor([2.0, 0.0, 0.0])
    base = base_state(NAMES, 1, pos_w=torch.tensor([[1.0, 2.0, 3.0]]), link_lin_vel_w=vel)
    view = part.view(state_view(NAMES, 1, link_pos_w=pos, views={BaseState: base}))
    mass = 0.254576
    assert view.angular_w.tolist() == [pytest.approx([0.0, 0.0, -mass * 0.5 * 2.0], rel=1e-6)]
    squared = terms.angular_momentum(state_view(NAMES, 1, views={MomentumState: view}))
    assert squared.tolist() == pytest.approx([(mass * 1.0) ** 2], rel=1e-6)


def test_the_pose_is_freer_the_faster_it_is_to_go() -> None:
    joints = ("left_knee_joint", "waist_yaw_joint")
    columns = [NAMES.joints.index(joint) for joint in joints]
    pos = torch.zeros(4, len(NAMES.joints))
    pos[:, columns[0]] = 0.1
    # Standing, walking by its turn alone, walking just below a run, running.
    asked = torch.tensor([[0.0, 0.04, 0.0], [0.0, 0.0, -0.05], [1.0, 0.0, 0.49], [1.0, 0.0, 0.5]])
    state = state_view(NAMES, 4, joint_pos=pos, commands={"velocity": asked})
    widths = [dict(zip(joints, each, strict=True)) for each in ((0.05, 0.05), (0.2, 0.1), (0.4, 0.1))]
    paces = dict(zip(("standing", "walking", "running"), widths, strict=True))
    reward = terms.pose(state, "velocity", **paces, walks_above=0.05, runs_above=1.5)
    expected = [math.exp(-((0.1 / width) ** 2) / 2) for width in (0.05, 0.2, 0.2, 0.4)]
    assert reward.tolist() == pytest.approx(expected)


def test_uprightness_and_rocking_are_those_of_the_named_link() -> None:
    quat = torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(3, len(NAMES.links), 1)
    torso = NAMES.link_id("torso_link")
    # Forward by 30 degrees, to the right by 30 degrees, and only turned.
    for env, axis in enumerate((2, 1, 3)):
        quat[env, torso, 0], quat[env, torso, axis] = math.cos(math.pi / 12), math.sin(math.pi / 12)
    ang_vel = torch.zeros(3, len(NAMES.links), 3)
    ang_vel[0, torso] = torch.tensor([0.3, 0.4, 9.0])
    state = state_view(NAMES, 3, link_quat_w=quat, link_ang_vel_w=ang_vel)
    tilted = math.exp(-0.25 / 0.2)
    assert locomotion.link_upright(state, "torso_link", 0.2).tolist() == pytest.approx([tilted, tilted, 1.0])
    assert locomotion.link_upright(state, "pelvis", 0.2).tolist() == pytest.approx([1.0] * 3)
    assert locomotion.link_ang_vel_xy(state, "torso_link").tolist() == pytest.approx([0.25, 0.0, 0.0])


def test_a_point_of_the_base_moves_as_a_rigid_body() -> None:
    half = math.sqrt(0.5)
    base = base_state(
        NAMES,
        1,
        quat_w=torch.tensor([[half, 0.0, 0.0, half]]),
        lin_vel_w=torch.tensor([[0.0, 1.0, 0.0]]),
        ang_vel_w=torch.tensor([[0.0, 0.0, 2.0]]),
    )
    state = state_view(NAMES, 1, views={BaseState: base})
    # Turned to the left it goes forward at 1 m/s; a point 0.1 m ahead is carried to the left by the turn.
    assert observations.point_lin_vel(state, (0.1, 0.0, -0.2)).tolist() == [pytest.approx([1.0, 0.2, 0.0])]


def test_what_feet_feel_is_told_by_foot_and_mirrored_to_the_other() -> None:
    state = _state(contact=(True, False), air_s=(0.0, 0.3), force_w=([1.0, -2.0, 3.0], [0.0, 0.0, 0.0]))
    assert observations.foot_air_time(state).tolist() == [pytest.approx([0.0, 0.3])]
    assert observations.foot_contact(state).tolist() == [[1.0, 0.0]]
    logs = [math.log(2.0), -math.log(3.0), math.log(4.0), 0.0, 0.0, 0.0]
    assert observations.foot_force_log(state).tolist() == [pytest.approx(logs)]
    terms_of = G1.observations["critic"].terms
    force = bind("force", terms_of["foot_force"], G1)
    assert force.columns() == tuple(f"{side}_foot {axis}" for side in ("left", "right") for axis in "xyz")
    assert force.images() == [(3, 1.0), (4, -1.0), (5, 1.0), (0, 1.0), (1, -1.0), (2, 1.0)]
    assert bind("contact", terms_of["foot_contact"], G1).images() == [(1, 1.0), (0, 1.0)]


def test_a_frozen_robot_touches_the_ground_with_every_foot() -> None:
    around = world(G1, 1, names=NAMES, contact_force_w=lambda: torch.zeros(1, len(NAMES.links), 3))
    feet = Feet(around)
    feet.sense()
    assert not feet.memory["contact"].any()
    around.purpose = Purpose(1, numbered=True, frozen=True)
    feet.sense()
    assert feet.memory["contact"].all()
    assert not feet.memory["air_s"].any()
