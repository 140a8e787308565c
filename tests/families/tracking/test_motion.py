"""Which frames of a clip episodes start at and how they go on, without a simulator."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genelab.config.terms import TerminationCfg
from genelab.envs.purpose import Purpose
from genelab.errors import InputError
from genelab.families.tracking.motion import Frames, Lead, Motion, MotionState, StartNoise, motion
from genelab.mdp.state import BaseState, Names, StateView, StateWrite
from genelab.registry import get_task
from tests.envs.world import by_stream, empty_cfg, world
from tests.states import base_state, state_view

N, T = 4, 101
"""Environments, and frames: two seconds."""
ALL = torch.ones(N, dtype=torch.bool)
NAMES = Names(("hip",), ("pelvis", "torso", "foot"))
HALF = math.sqrt(0.5)
EXACT = StartNoise((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)
NOISE = StartNoise((0.1, 0.2, 0.3), (0.0, 0.0, math.pi / 2), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 0.5)
FRAME, OFFSET = "motion/frame", "motion/noise"


def fell(state: StateView) -> Tensor:
    """A termination: where the joint is above 1."""
    return state.joint_pos[:, 0] > 1.0


def _part(*, numbered: bool = False, adaptive: bool = False, noise: StartNoise = EXACT) -> tuple[Motion, Any]:
    """The part over a clip whose joint is at k in frame k, and the world with what was written to it."""
    frame = torch.arange(float(T))
    pose = torch.tensor([0.0, 0.0, 0.8, HALF, 0.0, 0.0, HALF]).repeat(T, 1)
    frames = Frames(
        joint_pos=frame[:, None],
        joint_vel=-frame[:, None],
        base_pose_w=torch.cat([frame[:, None], pose[:, 1:]], dim=1),
        base_vel_w=torch.arange(6.0).repeat(T, 1),
        link_pos_w=torch.zeros(T, 2, 3),
        link_quat_w=pose[:, None, 3:].repeat(1, 2, 1),
        link_lin_vel_w=torch.zeros(T, 2, 3),
        link_ang_vel_w=torch.zeros(T, 2, 3),
        command=torch.zeros(T, 3),
        following=torch.tensor([*range(1, T), T - 1]),
    )
    written: list[tuple[StateWrite, Tensor]] = []
    cfg = empty_cfg(
        control_dt=0.02,
        terminations={
            "fell": TerminationCfg(func="tests.families.tracking.test_motion:fell"),
            "late": TerminationCfg(func="tests.families.tracking.test_motion:fell", truncates=True),
        },
    )
    around: Any = world(cfg, N, numbered=numbered, names=NAMES, write=lambda what, where: written.append((what, where)))
    around.written = written
    return Motion(around, frames, "torso", ("torso", "foot"), noise, adaptive=adaptive), around


def _state(joint: list[float]) -> StateView:
    return state_view(NAMES, N, joint_pos=torch.tensor(joint)[:, None], views={BaseState: base_state(NAMES, N)})


def _starts(part: Motion, around: Any, frame: float, second: float = 0.0) -> list[int]:
    """First frames where the draws of an episode are these."""
    around.draw = lambda _, dim: torch.tensor([[frame, second][:dim]] * N) if dim == 2 else torch.full((N, dim), 0.5)
    part.start(ALL)
    return part.memory["frame"].tolist()


def test_a_numbered_episode_starts_exactly_at_the_first_frame() -> None:
    part, around = _part(numbered=True, noise=NOISE)
    around.draw = by_stream(N, {})
    part.memory["frame"] = torch.tensor([5, 6, 7, 8])
    where = torch.tensor([True, False, True, False])
    part.start(where)
    assert part.memory["frame"].tolist() == [0, 6, 0, 8]
    write, mask = around.written[-1]
    assert torch.equal(mask, where)
    assert write.joint_pos[0].tolist() == [0.0]
    assert write.base_pose_w[0].tolist() == pytest.approx([0.0, 0.0, 0.8, HALF, 0.0, 0.0, HALF])
    assert write.base_vel_w[0].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_an_episode_of_a_training_starts_at_any_frame_that_another_follows() -> None:
    part, around = _part()
    assert _starts(part, around, 0.0) == [0] * N
    assert _starts(part, around, 0.5) == [50] * N
    # The last of 101 frames has the number 100.
    assert _starts(part, around, 1.0 - 2.0**-24) == [99] * N
    write, _ = around.written[-1]
    assert write.joint_pos[0].tolist() == [99.0]
    assert write.joint_vel[0].tolist() == [-99.0]


def test_noise_is_added_to_the_frame_and_turns_come_from_the_left() -> None:
    part, around = _part(noise=NOISE)
    around.draw = by_stream(N, {FRAME: 0.0, OFFSET: 1.0})
    part.start(ALL)
    write, _ = around.written[-1]
    assert write.joint_pos[0].tolist() == [0.5]
    assert write.joint_vel[0].tolist() == [0.0]
    # 90 degrees to the left once more: 180.
    assert write.base_pose_w[0].tolist() == pytest.approx([0.1, 0.2, 1.1, 0.0, 0.0, 0.0, 1.0], abs=1e-6)
    assert write.base_vel_w[0].tolist() == pytest.approx([1.0, 3.0, 5.0, 7.0, 9.0, 11.0])
    around.draw = by_stream(N, {FRAME: 0.0, OFFSET: 0.0})
    part.start(ALL)
    assert around.written[-1][0].joint_pos[0].tolist() == [-0.5]
    leaning = StartNoise((0.0,) * 3, (math.pi / 2, 0.0, 0.0), (0.0,) * 3, (0.0,) * 3, 0.0)
    part, around = _part(noise=leaning)
    around.draw = by_stream(N, {FRAME: 0.0, OFFSET: 1.0})
    part.start(ALL)
    # About the x axis of the world: what looked along y looks up.
    assert around.written[-1][0].base_pose_w[0, 3:].tolist() == pytest.approx([0.5, 0.5, -0.5, 0.5], abs=1e-6)


def test_a_step_goes_on_by_a_frame_and_the_last_one_stays() -> None:
    part, _ = _part()
    part.memory["frame"] = torch.tensor([0, 7, T - 2, T - 1])
    part.sense()
    assert part.memory["frame"].tolist() == [1, 8, T - 1, T - 1]


def test_the_lead_fades_in_a_training_and_an_evaluation_has_what_is_left() -> None:
    offsets = torch.arange(float(T))[:, None]
    targets = torch.tensor([[0.5], [0.5], [0.5], [0.5]])
    shares: list[float] = []
    for numbered, steps in ((False, 0), (False, 50), (False, 100), (False, 1000), (True, 0)):
        part, around = _part(numbered=numbered)
        part = Motion(
            around, part._frames, "torso", ("torso", "foot"), EXACT, adaptive=False, lead=Lead(offsets, 1.0, 0.2, 100)
        )
        around.num_steps = steps
        part.memory["frame"] = torch.tensor([0, 9, 99, 100])
        led = part.aim(targets) - targets
        # Of the frame that comes next, and the last one stays.
        shares.append(round(float(led[0]), 6))
        assert led.flatten().tolist() == pytest.approx([shares[-1] * frame for frame in (1, 10, 100, 100)])
    assert shares == [1.0, 0.6, 0.2, 0.2, 0.2]
    part, _ = _part()
    assert part.aim(targets) is targets


def test_it_shows_the_tracked_links_of_clip_and_robot() -> None:
    part, _ = _part()
    part.memory["frame"] = torch.tensor([3, 0, 0, 0])
    pos = torch.arange(9.0).reshape(3, 3).repeat(N, 1, 1)
    state = state_view(NAMES, N, link_pos_w=pos, views={BaseState: base_state(NAMES, N, link_lin_vel_w=2.0 * pos)})
    view = part.view(state)
    assert isinstance(view, MotionState)
    assert view.wanted.joint_pos[:, 0].tolist() == [3.0, 0.0, 0.0, 0.0]
    assert (view.names.links, view.anchor) == (("torso", "foot"), 0)
    assert view.link_pos_w[0].tolist() == [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]
    assert view.link_lin_vel_w[0, 1].tolist() == [12.0, 14.0, 16.0]


def test_adaptive_starts_visit_every_second_until_something_fails() -> None:
    part, around = _part(adaptive=True)
    # Two seconds make three pieces, the last of which only just begins.
    assert part.memory["failures"].tolist() == [0.0, 0.0, 0.0]
    # Piece, and place in it.
    assert _starts(part, around, 0.5, 0.0) == [33] * N
    assert _starts(part, around, 0.5, 0.999) == [66] * N
    assert _starts(part, around, 0.99, 0.999) == [99] * N


def test_adaptive_starts_go_where_episodes_are_terminated() -> None:
    part, around = _part(adaptive=True)
    part.memory["frame"] = torch.tensor([10, 40, 50, 90])
    nothing_broken = torch.zeros(N, dtype=torch.bool)
    part.account(_state([0.0, 2.0, 2.0, 0.0]), nothing_broken)
    # Two of four fail in the second third: 0.001 of that share.
    assert part.memory["failures"].tolist() == pytest.approx([0.0, 0.0005, 0.0])
    part.account(_state([0.0, 0.0, 0.0, 0.0]), torch.tensor([True, False, False, False]))
    assert part.memory["failures"].tolist() == pytest.approx([0.00025, 0.0005 * 0.999, 0.0])
    part.memory["failures"] = torch.tensor([0.0, 0.1, 0.0])
    # A tenth is even: the second third has the draws from 1/30 to 29/30, however rare failures are.
    found = [_starts(part, around, draw)[0] for draw in (0.033, 0.034, 0.966, 0.967)]
    assert found == [0, 33, 33, 66]
    part.begin()
    assert not part.memory["failures"].any()


def test_a_numbered_episode_counts_no_failures() -> None:
    part, _ = _part(numbered=True, adaptive=True)
    part.account(_state([2.0] * N), torch.zeros(N, dtype=torch.bool))
    assert list(part.memory) == ["frame"]


def test_a_motion_needs_a_floating_base_and_an_anchor_that_is_tracked(tmp_path: Any) -> None:
    pole = get_task("GeneLab-Inverted-Pendulum-v1").env
    with pytest.raises(InputError, match=r"env\.robot\.model = '.*': must have a floating base"):
        motion(world(pole, N), "pole", ("pole",), tmp_path / "clip")
    walker = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env
    with pytest.raises(InputError, match=r"the motion's anchor = 'trunk': must be one of its links \['FR_calf'\]"):
        motion(world(walker, N), "trunk", ("FR_calf",), tmp_path / "clip")
    with pytest.raises(InputError, match=r"the motion has clip = None and made = \[\]: must have one of both"):
        motion(world(walker, N), "trunk", ("trunk",))


def test_several_clips_follow_each_other_and_none_goes_over_into_the_next() -> None:
    part, around = _part()
    one = part._frames
    both = Frames(**{name: torch.cat([value, value]) for name, value in vars(one).items()})
    both.following[T:] += T
    several = Motion(around, both, "torso", ("torso", "foot"), EXACT, adaptive=False, lengths=[T, T])
    several.memory["frame"] = torch.tensor([T - 2, T - 1, T, 2 * T - 1])
    several.sense()
    assert several.memory["frame"].tolist() == [T - 1, T - 1, T + 1, 2 * T - 1]
    # A training starts at any frame that another follows, an evaluation at the first of its clip.
    firsts = {_starts(several, around, (k + 0.5) / (2 * T - 2))[0] for k in range(2 * T - 2)}
    assert firsts == {*range(2 * T)} - {T - 1, 2 * T - 1}
    around.purpose = Purpose(1, numbered=True)
    assert _starts(several, around, 0.5) == [0, T, 0, T]


def test_numbered_starts_are_spread_evenly_and_leave_a_second() -> None:
    part, around = _part(noise=NOISE)
    around.purpose = Purpose(1, numbered=True, drawn_starts=0.0)
    around.draw = by_stream(N, {OFFSET: 0.9})
    found: list[int] = []
    for first in range(0, 48, N):
        around.episode_number = torch.arange(first, first + N)
        part.start(ALL)
        found += part.memory["frame"].tolist()
    # Frames 0 to 49 of 101, of which 50 more follow: no two neighbours of 48 are further apart than 3.
    gaps = [after - before for before, after in itertools.pairwise([0, *sorted(found), 49])]
    assert min(found) == 0
    assert max(gaps) <= 3
    # Without noise in this purpose, whatever is drawn.
    write, _ = around.written[-1]
    assert torch.equal(write.joint_pos[:, 0], part.memory["frame"].float())
