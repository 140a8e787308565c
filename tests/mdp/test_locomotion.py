import dataclasses
import math

import pytest
import torch

from genelab.families.velocity import commands as velocity_commands
from genelab.families.velocity import terms as velocity
from genelab.mdp import events, locomotion, observations, randomizations, terminations
from genelab.mdp.state import BaseState, EventContext, FeetState, Names, StateView
from genelab.mdp.terrain import HeightMap
from tests.states import base_state, state_view

HALF = math.sqrt(0.5)
UPRIGHT, LEFT = [1.0, 0.0, 0.0, 0.0], [HALF, 0.0, 0.0, HALF]
"""The second is turned by 90 degrees to the left: its x axis is the world's y axis."""


def _state(**changes: object) -> StateView:
    """Two environments, joints (hip, wheel), links (trunk, shank), one foot. The second robot looks along y."""
    base: dict[str, object] = {
        "pos_w": torch.tensor([[0.0, 0.0, 0.30], [1.0, 2.0, 0.40]]),
        "quat_w": torch.tensor([UPRIGHT, LEFT]),
        "lin_vel_w": torch.tensor([[0.6, -0.1, 0.2], [0.6, -0.1, 0.2]]),
        "ang_vel_w": torch.tensor([[0.1, 0.2, 0.5], [0.1, 0.2, 0.5]]),
        "default_pos": torch.tensor([0.0, 0.0, 0.42]),
        "joint_range": torch.tensor([[-0.8, -math.inf], [0.8, math.inf]]),
        "origin_w": torch.tensor([[0.0, 0.0, 0.0], [8.0, -4.0, 0.5]]),
        "contact_force_w": torch.tensor([[[0.0, 0, 0], [0, 3.0, 4.0]], [[0.0, 0, 0], [0.0, 0, 0.5]]]),
        "joint_torque": torch.tensor([[2.0, -1.0], [0.5, 0.0]]),
        "previous_joint_vel": torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
    }
    base |= {name: changes.pop(name) for name in ("pos_w", "quat_w", "ground") if name in changes}
    feet = FeetState(
        pos_w=torch.zeros(2, 1, 3),
        vel_w=torch.tensor([[[0.3, 0.4, 9.0]], [[0.3, 0.4, 9.0]]]),
        contact=torch.tensor([[True], [False]]),
        air_s=torch.tensor([[0.0], [0.2]]),
    )
    view: dict[str, object] = {
        "joint_pos": torch.tensor([[0.9, 50.0], [-1.0, -50.0]]),
        "joint_vel": torch.tensor([[1.1, 0.0], [0.0, 0.4]]),
        "commands": {"velocity": torch.tensor([[1.0, 0.0, 0.5], [0.0, 0.0, 0.0]])},
        **changes,
    }
    names = Names(("hip", "wheel"), ("trunk", "shank"))
    return state_view(names, 2, **view, views={BaseState: base_state(names, 2, **base), FeetState: feet})


def _context(draws: list[list[float]], state: StateView) -> EventContext:
    table = torch.tensor(draws)
    return EventContext(state, lambda dim: table[:, :dim])


def test_velocities_are_those_of_the_base_frame():
    state = _state()
    assert observations.base_lin_vel(state)[0].tolist() == pytest.approx([0.6, -0.1, 0.2])
    # Looking along y, what moves along x moves to the right.
    assert observations.base_lin_vel(state)[1].tolist() == pytest.approx([-0.1, -0.6, 0.2])
    assert observations.base_ang_vel(state)[1].tolist() == pytest.approx([0.2, -0.1, 0.5])
    assert observations.command(state, "velocity").tolist() == [[1.0, 0.0, 0.5], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("quat", "gravity"),
    [
        (UPRIGHT, [0.0, 0.0, -1.0]),
        # On its right side, turned by 90 degrees about x, and nose down by 90 degrees about y.
        ([HALF, HALF, 0.0, 0.0], [0.0, -1.0, 0.0]),
        ([HALF, 0.0, HALF, 0.0], [1.0, 0.0, 0.0]),
    ],
)
def test_gravity_in_the_base_frame(quat: list[float], gravity: list[float]):
    state = _state(quat_w=torch.tensor([quat, quat]))
    assert observations.projected_gravity(state)[0].tolist() == pytest.approx(gravity, abs=1e-6)
    assert locomotion.tilt(state)[0] == pytest.approx(gravity[0] ** 2 + gravity[1] ** 2, abs=1e-6)


def test_tracking():
    state = _state()
    # (1 - 0.6)^2 + 0.1^2 + 0.2^2 = 0.21; standing still is asked of the second: 0.1^2 + 0.6^2 + 0.2^2 = 0.41.
    expected = [math.exp(-0.21 / 0.25), math.exp(-0.41 / 0.25)]
    assert velocity.track_lin_vel(state, "velocity", 0.25).tolist() == pytest.approx(expected)
    expected = [math.exp(-0.05 / 0.25), math.exp(-0.30 / 0.25)]
    assert velocity.track_ang_vel(state, "velocity", 0.25).tolist() == pytest.approx(expected)
    assert velocity.lateral_error(state, "velocity").tolist() == pytest.approx([0.1, 0.6])
    assert velocity.turn_error(state, "velocity").tolist() == pytest.approx([0.0, 0.5])
    assert velocity.lin_vel_error(state, "velocity").tolist() == pytest.approx([math.sqrt(0.17), math.sqrt(0.37)])
    assert velocity.commanded_speed(state, "velocity").tolist() == [1.0, 0.0]
    # Where no motion is asked for there is no direction.
    assert velocity.speed_along_command(state, "velocity").tolist() == pytest.approx([0.6, 0.0])


def test_away_from_start_is_measured_in_the_plane():
    # 0 m and hypot(7, 6) = 9.22 m from where they start; how high they are does not count.
    state = _state()
    assert locomotion.away_from_start(state, 4.0).tolist() == [0.0, 1.0]
    assert locomotion.away_from_start(state, 9.3).tolist() == [0.0, 0.0]
    lifted = _state(pos_w=torch.tensor([[0.0, 0.0, 50.0], [8.0, -4.0, 50.0]]))
    assert locomotion.away_from_start(lifted, 4.0).tolist() == [0.0, 0.0]


def test_penalties_of_the_base():
    state = _state()
    assert locomotion.lin_vel_z(state).tolist() == pytest.approx([0.04, 0.04])
    # World frame: the same for both, although they look elsewhere.
    assert locomotion.ang_vel_xy(state).tolist() == pytest.approx([0.05, 0.05])
    assert locomotion.base_height(state, 0.34).tolist() == pytest.approx([0.0016, 0.0036], rel=1e-4)
    # Above the ground and not above z = 0: the ground lies 5 cm lower under the first robot, and 15 cm higher under
    # the second.
    heights = torch.full((41, 41), -0.05)
    heights[25:] = 0.15
    on_it = _state(ground=HeightMap(heights, 0.1, (-2.0, -2.0)))
    assert locomotion.base_height(on_it, 0.34).tolist() == pytest.approx([0.01**2, 0.09**2], rel=1e-3)


def test_penalties_of_joints():
    state = _state()
    assert locomotion.joint_torque(state, ["hip", "wheel"]).tolist() == [5.0, 0.25]
    assert locomotion.joint_torque(state, ["wheel"]).tolist() == [1.0, 0.0]
    # 0.1 rad/s in 0.02 s are 5 rad/s^2, 0.4 are 20.
    assert locomotion.joint_acceleration(state, ["hip", "wheel"]).tolist() == pytest.approx([25.0, 400.0], rel=1e-4)
    # The wheel turns without end.
    assert locomotion.beyond_joint_limits(state, ["hip", "wheel"]).tolist() == pytest.approx([0.1, 0.2])


def test_feet():
    state = _state()
    axes = ["x", "y", "turn"]
    # 0.3^2 + 0.4^2 of the foot in contact; the other robot is asked to stand, and its foot is in the air.
    assert velocity.foot_slip(state, "velocity", 0.05, axes).tolist() == pytest.approx([0.25, 0.0])
    assert velocity.feet_in_the_air(state, "velocity", (0.1, 0.5), 0.1, axes).tolist() == [0.0, 0.0]
    moving = _state(commands={"velocity": torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.08, 0.08]])})
    assert velocity.feet_in_the_air(moving, "velocity", (0.1, 0.5), 0.1, axes).tolist() == [0.0, 1.0]
    assert velocity.feet_in_the_air(moving, "velocity", (0.2, 0.5), 0.1, axes).tolist() == [0.0, 0.0]
    # 5 N and 0.5 N on the shank.
    assert locomotion.touching(state, ["trunk", "shank"], 1.0).tolist() == [1.0, 0.0]
    assert locomotion.touching(state, ["trunk"], 1.0).tolist() == [0.0, 0.0]


def test_only_the_named_axes_ask_to_move():
    state = _state(commands={"velocity": torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.06, -0.06]])})
    assert velocity.asked_to_move(state, "velocity", 0.1, ["y", "turn"]).tolist() == [False, True]
    assert velocity.asked_to_move(state, "velocity", 0.1, ["x"]).tolist() == [True, False]


def test_a_tilt_beyond_the_limit_is_a_fall():
    angle = math.radians(71.0) / 2
    state = _state(quat_w=torch.tensor([[math.cos(angle), math.sin(angle), 0.0, 0.0], UPRIGHT]))
    assert terminations.tilt_above(state, math.radians(70.0)).tolist() == [True, False]
    assert terminations.tilt_above(state, math.radians(72.0)).tolist() == [False, False]


def test_a_term_of_the_base_needs_one():
    state = _state()
    fixed = dataclasses.replace(state, views={})
    with pytest.raises(ValueError, match="floating base"):
        observations.base_lin_vel(fixed)


def test_a_base_starts_at_its_origin_with_offsets():
    write = events.uniform_base_pose(
        _context([[0.5, 0.5, 0.5], [1.0, 0.0, 0.75]], _state()), (-0.5, 0.5), (-0.5, 0.5), (-math.pi, math.pi)
    )
    assert write.base_pose_w is not None
    assert write.base_pose_w[0].tolist() == pytest.approx([0.0, 0.0, 0.42, 1.0, 0.0, 0.0, 0.0])
    # Half a turn of 180 degrees: 90 degrees to the left.
    assert write.base_pose_w[1].tolist() == pytest.approx([8.5, -4.5, 0.92, HALF, 0.0, 0.0, HALF])
    assert write.base_vel_w is not None
    assert not write.base_vel_w.any()


def test_a_push_replaces_all_six_velocities():
    context = _context([[0.0, 0.5, 1.0, 0.3, 0.3, 0.3], [1.0, 0.75, 0.5, 0.3, 0.3, 0.3]], _state())
    write = events.push_base(context, (-0.5, 0.5), (-0.4, 0.4))
    assert write.base_vel_w is not None
    assert write.base_vel_w[0].tolist() == pytest.approx([-0.5, 0.0, 0.0, 0.0, 0.0, 0.4])
    assert write.base_vel_w[1].tolist() == pytest.approx([0.5, 0.25, 0.0, 0.0, 0.0, 0.0])
    context = _context([[0.5, 0.5, 0.5, 1.0, 0.0, 0.75]] * 2, _state())
    every = events.push_base(context, (-0.5, 0.5), (-0.4, 0.4), (-0.3, 0.3), (-0.2, 0.2)).base_vel_w
    assert every is not None
    assert every[0].tolist() == pytest.approx([0.0, 0.0, 0.3, -0.2, 0.1, 0.0], abs=1e-7)


def test_velocity_commands():
    ranges = {"x_range": (-1.0, 1.0), "y_range": (-1.0, 1.0), "yaw_rate_range": (-1.0, 1.0)}
    shares = {"forward_share": 0.1, "forward_min": 0.3, "standing_share": 0.1}

    def drawn(*draws: float) -> list[float]:
        found: torch.Tensor = velocity_commands.velocity(_context([list(draws)] * 2, _state()), **ranges, **shares)
        return found[0].tolist()

    assert drawn(0.0, 0.5, 0.75, 0.1, 0.1) == pytest.approx([-1.0, 0.0, 0.5])
    # Straight ahead with the amount of x, at least the slowest.
    assert drawn(0.1, 0.5, 0.75, 0.09, 0.1) == pytest.approx([0.8, 0.0, 0.0])
    assert drawn(0.55, 0.9, 0.9, 0.0, 0.5) == pytest.approx([0.3, 0.0, 0.0])
    # Standing wins.
    assert drawn(0.1, 0.5, 0.75, 0.0, 0.09) == [0.0, 0.0, 0.0]


def test_randomisations():
    def context() -> EventContext:
        return _context([[0.0, 0.5, 1.0, 0.25], [1.0, 0.0, 0.5, 0.5]], _state())

    friction = randomizations.link_friction(context(), ["shank", "trunk"], (0.3, 1.5)).link_friction
    assert friction["shank"].tolist() == pytest.approx([0.3, 1.5])
    assert torch.equal(friction["shank"], friction["trunk"])
    assert randomizations.link_mass(context(), "trunk", (-1.0, 2.0)).link_mass_offset["trunk"].tolist() == [-1.0, 2.0]
    shift = randomizations.link_com(context(), "trunk", (-0.05, 0.05)).link_com_offset["trunk"]
    assert shift[0].tolist() == pytest.approx([-0.05, 0.0, 0.05])
    factors = randomizations.gains(context(), (0.8, 1.2))
    assert factors.kp_factor is not None
    assert factors.kv_factor is not None
    assert factors.kp_factor[0].tolist() == pytest.approx([0.8, 1.0])
    assert factors.kv_factor[0].tolist() == pytest.approx([1.2, 0.9])
    bias = randomizations.encoder_bias(context(), (-0.015, 0.015)).encoder_bias
    assert bias is not None
    assert bias[1].tolist() == pytest.approx([0.015, -0.015])


def test_an_event_draws_once():
    context = _context([[0.5], [0.5]], _state())
    context.uniform(1)
    with pytest.raises(ValueError, match="an event draws once: 1 numbers were drawn, and now 2 are asked for"):
        context.uniform(2)


def test_a_link_that_touches_ends_the_episode_and_another_does_not():
    state = _state()
    assert terminations.touching(state, ["shank"], 1.0).tolist() == [True, False]
    assert terminations.touching(state, ["shank"], 0.4).tolist() == [True, True]
    assert terminations.touching(state, ["trunk"], 0.0).tolist() == [False, False]


def test_off_the_terrain_is_by_the_base_and_its_edges():
    ground = HeightMap(torch.zeros(21, 11), 0.1, (-1.0, -0.5))
    for pos, beyond in (
        ((0.0, 0.0), -0.5),
        ((0.9, 0.0), -0.1),
        ((1.2, 0.0), 0.2),
        ((-1.1, 0.3), 0.1),
        ((0.0, -0.45), -0.05),
        ((0.0, 0.8), 0.3),
    ):
        state = _state(terrain=ground, pos_w=torch.tensor([[*pos, 0.3], [*pos, 9.0]]))
        assert ground.beyond_edge(torch.tensor(pos)).item() == pytest.approx(beyond, abs=1e-6)
        assert terminations.off_the_terrain(state, 0.0).tolist() == [beyond > 0.0] * 2
        assert terminations.off_the_terrain(state, 0.2).tolist() == [beyond > -0.2] * 2
