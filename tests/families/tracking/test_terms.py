"""What tracking terms make of a motion and a robot, by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.errors import InputError
from genelab.families.tracking import commands, terms
from genelab.families.tracking.motion import Frames, MotionState
from genelab.mdp.mirror import group_images
from genelab.mdp.state import BaseState, Drawn, Names, StateView
from genelab.mdp.term import bind
from genelab.registry import get_task
from tests.clips import G1_TRACKING
from tests.states import base_state, state_view

HALF = math.sqrt(0.5)
UPRIGHT, LEFT, RIGHT = [1.0, 0.0, 0.0, 0.0], [HALF, 0.0, 0.0, HALF], [HALF, 0.0, 0.0, -HALF]
"""The second is turned by 90 degrees to the left, the third to the right."""
FORWARD = [math.cos(math.pi / 6), 0.0, math.sin(math.pi / 6), 0.0]
"""Leans forward by 60 degrees."""
NAMES = Names(("hip", "knee"), ("pelvis", "torso", "foot"))


def _frames(**changes: Any) -> Frames:
    """A clip of two frames of the joints and of torso and foot."""
    fields: dict[str, Any] = {
        "joint_pos": [[0.1, 0.2], [0.3, 0.4]],
        "joint_vel": [[1.0, 2.0], [3.0, 4.0]],
        "base_pose_w": [[0.0] * 7] * 2,
        "base_vel_w": [[0.0] * 6] * 2,
        "link_pos_w": [[[0.0, 0.0, 0.8], [0.1, 0.2, 0.0]], [[1.0, 2.0, 0.8], [1.0, 2.5, 0.1]]],
        "link_quat_w": [[UPRIGHT, UPRIGHT], [LEFT, LEFT]],
        "link_lin_vel_w": [[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.6, 0.0], [0.0, 0.0, 0.0]]],
        "link_ang_vel_w": [[[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]],
        "command": [[0.0, 0.0, 0.0], [0.5, 0.0, 0.1]],
        "following": [1, 1],
        **changes,
    }
    return Frames(**{name: torch.tensor(value) for name, value in fields.items()})


def _state(frame: tuple[int, int] = (0, 1), frames: Frames | None = None, **robot: Any) -> StateView:
    """Two robots, of which the first looks to the left. The second stands on its place and is 0.2 m too tall."""
    fields: dict[str, Tensor] = {
        "link_pos_w": torch.tensor([[[3.0, 4.0, 0.7], [3.0, 4.0, 0.0]], [[1.0, 2.0, 1.0], [1.5, 2.0, 0.1]]]),
        "link_quat_w": torch.tensor([[LEFT, LEFT], [UPRIGHT, UPRIGHT]]),
        "link_lin_vel_w": torch.tensor([[[0.4, 0.3, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.3, 9.0], [0.0, 0.0, 0.0]]]),
        "link_ang_vel_w": torch.zeros(2, 2, 3),
        **{name: torch.tensor(value) for name, value in robot.items()},
    }
    motion = MotionState(
        frames=frames or _frames(), frame=torch.tensor(frame), names=Names((), NAMES.links[1:]), anchor=0, **fields
    )
    whole = {
        name: torch.cat([torch.full_like(fields[name][:, :1], math.nan), fields[name]], dim=1)
        for name in ("link_pos_w", "link_quat_w")
    }
    return state_view(NAMES, 2, **whole, views={BaseState: base_state(NAMES, 2), MotionState: motion})


def test_the_clip_is_read_at_the_frame_of_each_environment() -> None:
    assert terms.wanted_joint_pos(_state(), ("knee", "hip")).tolist() == [
        pytest.approx([0.2, 0.1]),
        pytest.approx([0.4, 0.3]),
    ]
    assert terms.wanted_joint_vel(_state((1, 0)), ("hip", "knee")).tolist() == [[3.0, 4.0], [1.0, 2.0]]


def test_the_clip_is_moved_and_turned_to_the_robots_anchor_at_its_own_height() -> None:
    aligned = _state().of(MotionState).aligned_pos_w
    # Turned to the left, forward becomes left: (0.1, 0.2) -> (-0.2, 0.1).
    assert aligned[0].tolist() == [pytest.approx([3.0, 4.0, 0.8]), pytest.approx([2.8, 4.1, 0.0], abs=1e-6)]
    assert aligned[1].tolist() == [pytest.approx([1.0, 2.0, 0.8]), pytest.approx([1.5, 2.0, 0.1], abs=1e-6)]
    quat = _state().of(MotionState).aligned_quat_w
    assert quat[0, 1].tolist() == pytest.approx(LEFT)
    assert quat[1, 1].tolist() == pytest.approx(UPRIGHT, abs=1e-6)


def test_a_robot_that_leans_turns_the_clip_by_its_heading_alone() -> None:
    state = _state((0, 0), link_quat_w=[[FORWARD, UPRIGHT], [UPRIGHT, UPRIGHT]])
    assert state.of(MotionState).aligned_quat_w[0, 0].tolist() == pytest.approx(UPRIGHT, abs=1e-6)


def test_the_turn_is_about_the_vertical_of_the_world() -> None:
    """Both lie on one side, and the robot was turned to the left after that."""
    lying, turned = [HALF, HALF, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]
    frames = _frames(link_quat_w=[[lying, lying]] * 2)
    state = _state((0, 0), frames, link_quat_w=[[turned, UPRIGHT], [lying, UPRIGHT]])
    assert state.of(MotionState).aligned_quat_w[:, 0].tolist() == [pytest.approx(turned), pytest.approx(lying)]


def test_where_the_clips_anchor_is_seen_from_the_robots() -> None:
    found = terms.wanted_anchor_pos(_state())
    # (-3, -4, 0.1) in the world, seen by who looks to the left.
    assert found[0].tolist() == pytest.approx([-4.0, 3.0, 0.1], abs=1e-5)
    assert found[1].tolist() == pytest.approx([0.0, 0.0, -0.2], abs=1e-6)
    rotation = terms.wanted_anchor_rotation(_state())
    assert rotation[0].tolist() == pytest.approx([0.0, 1.0, -1.0, 0.0, 0.0, 0.0], abs=1e-6)
    assert rotation[1].tolist() == pytest.approx([0.0, -1.0, 1.0, 0.0, 0.0, 0.0], abs=1e-6)


def test_links_in_the_frame_of_another() -> None:
    state = _state(link_quat_w=[[LEFT, UPRIGHT], [UPRIGHT, FORWARD]])
    assert terms.link_positions(state, ("foot", "torso"), "torso").tolist() == [
        pytest.approx([0.0, 0.0, -0.7, 0.0, 0.0, 0.0], abs=1e-6),
        pytest.approx([0.5, 0.0, -0.9, 0.0, 0.0, 0.0], abs=1e-6),
    ]
    rotation = terms.link_rotations(state, ("foot",), "torso")
    assert rotation[0].tolist() == pytest.approx([0.0, 1.0, -1.0, 0.0, 0.0, 0.0], abs=1e-6)
    # Forward by 60 degrees about y: x points down.
    assert rotation[1].tolist() == pytest.approx([0.5, 0.0, 0.0, 1.0, -math.sqrt(0.75), 0.0], abs=1e-6)


def test_rewards_of_the_anchor() -> None:
    found = terms.anchor_pos(_state(), 0.3)
    assert found[0] == pytest.approx(0.0, abs=1e-12)
    assert found[1] == pytest.approx(math.exp(-0.04 / 0.09))
    turned = math.exp(-((math.pi / 2) ** 2) / 0.4**2)
    assert terms.anchor_rotation(_state(), 0.4).tolist() == pytest.approx([turned, turned], rel=1e-4)


def test_rewards_of_links() -> None:
    # Squares of the distances: 0.01 and 0.05, 0.04 and 0.
    assert terms.link_pos(_state(), 0.3).tolist() == pytest.approx(
        [math.exp(-0.03 / 0.09), math.exp(-0.02 / 0.09)], rel=1e-4
    )
    leaning = _state(link_quat_w=[[LEFT, LEFT], [UPRIGHT, FORWARD]])
    angle = (math.pi / 3) ** 2 / 2
    assert terms.link_rotation(leaning, 0.4).tolist() == pytest.approx([1.0, math.exp(-angle / 0.16)], rel=1e-4)


def test_rewards_of_velocities_are_in_the_world_and_not_turned() -> None:
    # (1, 0, 0) is wanted and (0.4, 0.3, 0) found: 0.36 + 0.09, of one link of two.
    found = terms.link_lin_vel(_state(), 1.0)
    assert found.tolist() == pytest.approx([math.exp(-0.225), math.exp(-(0.09 + 81.0) / 2)], rel=1e-4)
    assert terms.link_ang_vel(_state(), math.pi).tolist() == pytest.approx([math.exp(-2.0 / math.pi**2), 1.0])


def test_a_clip_ends_at_its_last_frame() -> None:
    assert terms.clip_ended(_state((0, 1))).tolist() == [False, True]


def test_who_is_behind_in_the_plane_may_be_told() -> None:
    # Its torso is 5 m away from the first frame's, the other one is in its place and 0.2 m too tall.
    assert terms.anchor_behind(_state(), 4.9).tolist() == [True, False]
    assert terms.anchor_behind(_state(), 5.1).tolist() == [False, False]


def test_a_command_is_that_of_the_clips_frame() -> None:
    state = _state((1, 0))
    assert commands.of_the_clip(Drawn(state, torch.zeros(2, 1))).tolist() == [
        pytest.approx([0.5, 0.0, 0.1]),
        [0.0, 0.0, 0.0],
    ]


def test_heights_end_an_episode_and_ways_in_the_plane_do_not() -> None:
    # 0.1 m too low and 4 m away; 0.2 m too tall.
    assert terms.anchor_height_off(_state(), 0.15).tolist() == [False, True]
    assert terms.anchor_height_off(_state(), 0.05).tolist() == [True, True]
    low = _state(link_pos_w=[[[3.0, 4.0, 0.7], [3.0, 4.0, -0.3]], [[1.0, 2.0, 1.0], [9.5, 2.0, 0.3]]])
    assert terms.link_height_off(low, ("foot",), 0.25).tolist() == [True, False]
    assert terms.link_height_off(low, ("torso", "foot"), 0.15).tolist() == [True, True]


def test_tilt_is_that_of_the_anchor_and_no_matter_where_it_looks() -> None:
    # cos 60 degrees = 0.5: gravity's z components are -0.5 and -1.
    leaning = _state(link_quat_w=[[FORWARD, UPRIGHT], [LEFT, UPRIGHT]])
    assert terms.anchor_tilt_off(leaning, 0.49).tolist() == [True, False]
    assert terms.anchor_tilt_off(leaning, 0.51).tolist() == [False, False]


def test_measures() -> None:
    assert terms.link_distance(_state()).tolist() == pytest.approx([(0.1 + math.sqrt(0.05)) / 2, 0.1], rel=1e-4)
    assert terms.anchor_distance(_state()).tolist() == pytest.approx([math.sqrt(25.01), 0.2], rel=1e-5)
    assert terms.wanted_speed(_state()).tolist() == pytest.approx([1.0, 0.6])
    assert terms.speed_along_clip(_state()).tolist() == pytest.approx([0.4, 0.3])
    still = _state(frames=_frames(link_lin_vel_w=[[[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]] * 2))
    assert terms.speed_along_clip(still).tolist() == [0.0, 0.0]


def test_columns_and_mirror_images_of_links_follow_their_names() -> None:
    env = get_task(G1_TRACKING).env
    cfg = env.observations["critic"].terms["link_rotations"]
    pair = cfg.model_copy(update={"params": {"links": ["left_knee_link", "right_knee_link"], "frame": "torso_link"}})
    bound = bind("env.observations.critic.terms.link_rotations", pair, env)
    columns = bound.columns()
    assert columns is not None
    assert columns[:2] == ("left_knee_link xx", "left_knee_link xy")
    assert columns[-1] == "right_knee_link zy"
    # The left knee's xy comes from the right knee's, with the other sign.
    assert bound.images()[:3] == [(6, 1.0), (7, -1.0), (8, -1.0)]
    assert bound.images()[6:9] == [(0, 1.0), (1, -1.0), (2, -1.0)]
    left = cfg.model_copy(update={"params": {"links": ["left_knee_link"], "frame": "torso_link"}})
    with pytest.raises(InputError, match="mirror image of link 'left_knee_link' is 'right_knee_link', which is not"):
        bind("env.observations.critic.terms.link_rotations", left, env).images()


def test_the_observations_are_as_many_as_published_and_have_mirror_images() -> None:
    env = get_task(G1_TRACKING).env
    assert {name: len(group_images(env, name)) for name in env.observations} == {"policy": 160, "critic": 286}
