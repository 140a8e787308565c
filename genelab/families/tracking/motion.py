"""The motion that a robot imitates: which frame of its clip it is at, and what it makes of it."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import NonNegativeFloat, NonNegativeInt
from torch import Tensor

from genelab.draw.depiction import Depiction, Ghost, Pose
from genelab.envs.parts.part import Part, World
from genelab.envs.parts.places import drawn
from genelab.errors import InputError
from genelab.families.tracking.clip import Clip, clip_for
from genelab.families.tracking.dynamics import Dynamics
from genelab.families.tracking.kinematics import motion_of
from genelab.families.tracking.making import commands_of, make_clip
from genelab.families.tracking.recipes import motions_of
from genelab.functions import played_with
from genelab.mdp.params import Link, Links, Share
from genelab.mdp.rotations import quat_apply, quat_conjugate, quat_multiply, quat_of_angles, quat_yaw
from genelab.mdp.state import Names, StateView, StateWrite, View
from genelab.mdp.term import bind

HalfWidths = tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat]
"""Largest amounts along or about x, y and z."""
BIN_S = 1.0
"""Length of the pieces of a clip of which adaptive starts count the failures, s, about."""
SMOOTHING = 0.001
"""Share of a control step in the smoothed count."""
GOLDEN = (5.0**0.5 - 1.0) / 2.0
"""The golden section: multiples of it, without their whole parts, spread any count evenly over 0 to 1."""
EVEN_SHARE = 0.1
"""Share of the starts that is even over the clip, whatever fails."""


@dataclass(frozen=True)
class Frames:
    """Frames of one clip or of several, one after the other. Suffix `_w`: world frame; links are the tracked ones."""

    joint_pos: Tensor
    """Joint positions, m or rad. Shape: (frames, joints)."""
    joint_vel: Tensor
    """Joint velocities, m/s or rad/s. Shape: (frames, joints)."""
    base_pose_w: Tensor
    """Position (m) and orientation (w x y z) of the base link. Shape: (frames, 7)."""
    base_vel_w: Tensor
    """Its velocity (m/s) and angular velocity (rad/s). Shape: (frames, 6)."""
    link_pos_w: Tensor
    """Positions of the links' origins, m. Shape: (frames, links, 3)."""
    link_quat_w: Tensor
    """Link orientations, w x y z. Shape: (frames, links, 4)."""
    link_lin_vel_w: Tensor
    """Velocities of the links' origins, m/s. Shape: (frames, links, 3)."""
    link_ang_vel_w: Tensor
    """Angular velocities of the links, rad/s. Shape: (frames, links, 3)."""
    command: Tensor
    """Velocity that the clip was made for: x and y, m/s, and turn, rad/s, in its own frame. Shape: (frames, 3)."""
    following: Tensor
    """Number of the next frame; of a last one, its own, int64. Shape: (frames,)."""

    @classmethod
    def of(cls, clips: Sequence[Clip], base: str, links: tuple[str, ...], device: torch.device) -> Self:
        """All frames of some clips, on a device."""
        parts = [cls._of_one(clip, base, links, device) for clip in clips]
        first = 0
        for part in parts:
            part.following.add_(first)
            first += len(part.following)
        return cls(**{name: torch.cat([vars(part)[name] for part in parts]) for name in vars(parts[0])})

    @classmethod
    def _of_one(cls, clip: Clip, base: str, links: tuple[str, ...], device: torch.device) -> Self:
        tracked, root = [clip.info.links.index(link) for link in links], clip.info.links.index(base)
        arrays = {
            "joint_pos": clip.joint_pos,
            "joint_vel": clip.joint_vel,
            **{name: getattr(clip, name)[:, tracked] for name in _OF_LINKS},
        }
        parts = {name: torch.tensor(getattr(clip, name)[:, root], device=device) for name in _OF_LINKS}
        return cls(
            **{name: torch.tensor(array, device=device) for name, array in arrays.items()},
            base_pose_w=torch.cat([parts["link_pos_w"], parts["link_quat_w"]], dim=1),
            base_vel_w=torch.cat([parts["link_lin_vel_w"], parts["link_ang_vel_w"]], dim=1),
            command=torch.tensor(commands_of(clip), dtype=torch.float32, device=device),
            following=torch.tensor([*range(1, clip.frames), clip.frames - 1], device=device),
        )

    def at(self, frame: Tensor) -> Self:
        """The frames of these numbers, int64. Shape: (rows,)."""
        return type(self)(**{name: value.index_select(0, frame) for name, value in vars(self).items()})


_OF_LINKS = ("link_pos_w", "link_quat_w", "link_lin_vel_w", "link_ang_vel_w")


@dataclass(frozen=True)
class MotionState(View):
    """What the motion wants, and what the robot's links are. Links are columns in the order of `names`."""

    frames: Frames
    """The clip."""
    frame: Tensor
    """Its frame now, int64. Shape: (num_envs,)."""
    names: Names
    """The tracked links; no joints."""
    anchor: int
    """Column of the link that says where the robot is."""
    link_pos_w: Tensor
    """Positions of the robot's links, m. Shape: (num_envs, links, 3)."""
    link_quat_w: Tensor
    """Their orientations, w x y z. Shape: (num_envs, links, 4)."""
    link_lin_vel_w: Tensor
    """Velocities of their origins, m/s. Shape: (num_envs, links, 3)."""
    link_ang_vel_w: Tensor
    """Their angular velocities, rad/s. Shape: (num_envs, links, 3)."""

    @functools.cached_property
    def wanted(self) -> Frames:
        """The frame of every environment, as the clip has it."""
        return self.frames.at(self.frame)

    @functools.cached_property
    def aligned_pos_w(self) -> Tensor:
        """Where the links are wanted, seen from the robot's own anchor, m. Shape: (num_envs, links, 3).

        The clip is moved in the plane to the anchor of the robot and turned to its heading; heights stay.
        """
        reference = self.wanted.link_pos_w
        anchor = reference[:, self.anchor]
        lever = quat_apply(self._turn[:, None], reference - anchor[:, None])
        middle = torch.cat([self.link_pos_w[:, self.anchor, :2], anchor[:, 2:]], dim=1)
        return middle[:, None] + lever

    @functools.cached_property
    def aligned_quat_w(self) -> Tensor:
        """Orientations wanted of the links, turned likewise, w x y z. Shape: (num_envs, links, 4)."""
        return quat_multiply(self._turn[:, None], self.wanted.link_quat_w)

    @functools.cached_property
    def _turn(self) -> Tensor:
        """From the heading of the clip's anchor to that of the robot's. Shape: (num_envs, 4)."""
        mine, reference = self.link_quat_w[:, self.anchor], self.wanted.link_quat_w[:, self.anchor]
        yaw = quat_yaw(quat_multiply(mine, quat_conjugate(reference)))
        zero = torch.zeros_like(yaw)
        return quat_of_angles(zero, zero, yaw)


@dataclass(frozen=True)
class StartNoise:
    """How far from its frame an episode of a training starts: uniform, at most."""

    pos: HalfWidths
    """Position of the base along x, y and z, m."""
    rotation: HalfWidths
    """Its orientation: roll, pitch and yaw about the axes of the world, rad."""
    lin_vel: HalfWidths
    """Its velocity, m/s."""
    ang_vel: HalfWidths
    """Its angular velocity, rad/s."""
    joint_pos: float
    """Position of every joint, m or rad. Limits are not heeded."""


@dataclass(frozen=True)
class Lead:
    """What the targets do by themselves, beside the policy."""

    offsets: Tensor
    """From the default pose to what holds each frame, m or rad. Shape: (frames, driven)."""
    first: float
    """Share of it at the start of a training."""
    last: float
    """Share after `steps`, and in an evaluation."""
    steps: int
    """Control steps in between."""


@played_with("genelab.families.tracking.controls:Scrubber")
def motion(
    world: World,
    anchor: Link,
    links: Links,
    clip: Path | None = None,
    made: tuple[str, ...] = (),
    pos_noise: HalfWidths = (0.0, 0.0, 0.0),
    rotation_noise: HalfWidths = (0.0, 0.0, 0.0),
    lin_vel_noise: HalfWidths = (0.0, 0.0, 0.0),
    ang_vel_noise: HalfWidths = (0.0, 0.0, 0.0),
    joint_pos_noise: NonNegativeFloat = 0.0,
    adaptive: bool = False,
    lead: tuple[Share, Share] = (0.0, 0.0),
    lead_steps: NonNegativeInt = 0,
) -> "Motion":
    """A motion to imitate. Writes the state in which an episode starts, and shows a `MotionState`.

    An episode of a training starts anywhere in the clip, near its frame; a numbered one starts at the first frame and
    exactly there, unless its purpose has drawn starts. Each control step goes on by a frame before it is judged. Where
    the clip ends, `clip_ended` of the family's terms must end the episode.

    Args:
        world: the environment.
        anchor: link that says where the robot is; one of `links`.
        links: links that are compared with the clip.
        clip: the clip, of this robot and with a frame for every control step.
        made: names of clips that are made for this robot, as by `genelab motion make`, in place of a file. Episodes are
            spread over all of them.
        pos_noise: largest distance of the base from its frame at the start of an episode of a training, along x, y
            and z, m.
        rotation_noise: the same of its orientation: roll, pitch and yaw about the axes of the world, rad.
        lin_vel_noise: the same of its velocity, m/s.
        ang_vel_noise: the same of its angular velocity, rad/s.
        joint_pos_noise: the same of every joint, m or rad.
        adaptive: whether a training starts more often in those seconds of the clip in which episodes are terminated,
            after the sampler of mjlab: in proportion to the smoothed failures in them, but for a share of even starts.
        lead: share of the way from the default pose to the clip's next frame, and of the torques that hold it, that
            the targets of the joints go by themselves; what the policy does is added. At the start of a training, and
            at the end of `lead_steps`; an evaluation has the second.
        lead_steps: control steps of the training in which the first goes over into the second.

    Raises:
        InputError: if the clip is not one for this robot, or the anchor is none of the links.
    """
    cfg = world.cfg
    if cfg.robot.base is None:
        raise InputError(f"env.robot.model = '{cfg.robot.model}': must have a floating base, to imitate a motion")
    if anchor not in links:
        raise InputError(f"the motion's anchor = '{anchor}': must be one of its links {list(links)}")
    noise = StartNoise(pos_noise, rotation_noise, lin_vel_noise, ang_vel_noise, joint_pos_noise)
    if (clip is None) == (not made):
        raise InputError(f"the motion has clip = {clip} and made = {list(made)}: must have one of both")
    recipes, fps = motions_of(cfg.robot) if made else None, 1.0 / cfg.control_dt
    clips = [clip_for(clip, cfg.robot, cfg.control_dt)] if clip else []
    clips += [make_clip(name, cfg.robot, recipes, fps) for name in made if recipes]
    frames = Frames.of(clips, cfg.robot.base, links, world.device)
    lengths = [each.frames for each in clips]
    leading = torch.cat([_leading(world, each) for each in clips]) if max(lead) > 0.0 else None
    leading = None if leading is None else Lead(leading, *lead, lead_steps)
    return Motion(world, frames, anchor, links, noise, adaptive=adaptive, lead=leading, lengths=lengths)


def _leading(world: World, clip: Clip) -> Tensor:
    """What targets of the driven joints need beside the default pose to hold each frame in its motion.

    By the law kp (target - q) - kv qdot these are the frame and (torque + kv qdot) / kp.

    Shape: (frames, driven).
    """
    robot = world.cfg.robot
    torques = Dynamics(robot, motions_of(robot).feet, motion_of(clip)).torques()
    groups = [robot.actuator_of(joint) for joint in robot.joints]
    kp, kv = (np.array([getattr(group, gain) for group in groups]) for gain in ("kp", "kv"))
    default = np.array([robot.default_of(joint) for joint in robot.joints])
    # The motors damp the motion itself, too.
    away = clip.joint_pos - default + (torques + kv * clip.joint_vel) / kp
    driven = world.sim.names.joint_ids(world.cfg.driven)
    return torch.tensor(away[:, driven], dtype=torch.float32, device=world.device)


class Motion(Part):
    """See `motion`."""

    def __init__(
        self,
        world: World,
        frames: Frames,
        anchor: str,
        links: tuple[str, ...],
        noise: StartNoise,
        *,
        adaptive: bool,
        lead: Lead | None = None,
        lengths: Sequence[int] = (),
    ) -> None:
        """Forget everything. `lengths`: frames of each clip, if there are several."""
        super().__init__()
        self._lead = lead
        self._world, self._frames, self._noise = world, frames, noise
        self._names = Names((), links)
        self._anchor = self._names.link_id(anchor)
        self._columns = world.sim.names.link_columns(links, world.device)
        count = len(frames.following)
        lengths = lengths or [count]
        firsts = [sum(lengths[:clip]) for clip in range(len(lengths))]
        another = [first + frame for first, length in zip(firsts, lengths, strict=True) for frame in range(length - 1)]
        self.start_frame: int | None = None
        """Frame at which the next episodes start, counted over all clips; None for as their purpose says."""
        self._startable, self._first = (torch.tensor(each, device=world.device) for each in (another, firsts))
        widths = [*noise.pos, *noise.rotation, *noise.lin_vel, *noise.ang_vel]
        self._widths = torch.tensor(widths + [noise.joint_pos] * frames.joint_pos.shape[1], device=world.device)
        self._bins = int((count - 1) * world.cfg.control_dt / BIN_S) + 1
        self._failures = {
            name: bind(f"env.terminations.{name}", term, world.cfg)
            for name, term in world.cfg.terminations.items()
            if adaptive and not world.purpose.numbered and not term.truncates
        }
        self.begin()

    def begin(self) -> None:
        """Every environment is at the first frame, and no episode has failed."""
        self.memory["frame"] = self._world.zeros(dtype=torch.int64)
        if self._failures:
            # Of every second of the clip.
            self.memory["failures"] = torch.zeros(self._bins, device=self._world.device)

    def start(self, mask: Tensor) -> None:
        """Draw the first frames of new episodes, and write their states."""
        purpose = self._world.purpose
        exactly = purpose.numbered and purpose.drawn_starts is None
        if exactly:
            first = self._first[self._world.episode_number % len(self._first)]
        else:
            first = self._spread() if purpose.numbered else self._drawn()
        if self.start_frame is not None:
            first = torch.full_like(first, self.start_frame)
        self.memory["frame"] = torch.where(mask, first, self.memory["frame"])
        frames = self._frames.at(self.memory["frame"])
        exact = StateWrite(
            joint_pos=frames.joint_pos,
            joint_vel=frames.joint_vel,
            base_pose_w=frames.base_pose_w,
            base_vel_w=frames.base_vel_w,
        )
        self._world.sim.write(exact if exactly else self._near(frames), mask)

    def aim(self, targets: Tensor) -> Tensor:
        """Lead the targets to the frame that comes next."""
        if self._lead is None:
            return targets
        lead, world = self._lead, self._world
        gone = 1.0 if world.purpose.numbered else min(world.num_steps / max(lead.steps, 1), 1.0)
        share = lead.first + gone * (lead.last - lead.first)
        return targets + share * lead.offsets.index_select(0, self._frames.following[self.memory["frame"]])

    def sense(self) -> None:
        """Go on by a frame. The last one stays."""
        self.memory["frame"] = self._frames.following[self.memory["frame"]]

    def view(self, state: StateView) -> MotionState:
        """What is wanted now, and what is."""

        def tracked(values: Tensor) -> Tensor:
            return values.index_select(1, self._columns)

        return MotionState(
            frames=self._frames,
            frame=self.memory["frame"],
            names=self._names,
            anchor=self._anchor,
            link_pos_w=tracked(state.link_pos_w),
            link_quat_w=tracked(state.link_quat_w),
            link_lin_vel_w=tracked(state.floating.link_lin_vel_w),
            link_ang_vel_w=tracked(state.link_ang_vel_w),
        )

    def depict(self, state: StateView) -> Depiction:
        """The robot as the clip has it, at the clip's own place."""
        frame, last = self.memory["frame"][0], len(self._frames.following) - 1
        joints, base = (
            values[frame].cpu().numpy().astype(np.float64)
            for values in (self._frames.joint_pos, self._frames.base_pose_w)
        )
        return Depiction((f"frame {int(frame)} of {last} of the clip (green)",), (Ghost(Pose(joints, base)),))

    def account(self, state: StateView, broken: Tensor) -> None:
        """Count where in the clip episodes are terminated."""
        if not self._failures:
            return
        failed = broken
        for term in self._failures.values():
            failed = failed | term(state)
        bins = torch.arange(self._bins, device=self._world.device)
        found = (self._bin(self.memory["frame"])[:, None] == bins) & failed[:, None]
        share = found.to(torch.float32).mean(dim=0)
        self.memory["failures"] = (1.0 - SMOOTHING) * self.memory["failures"] + SMOOTHING * share

    def _bin(self, frame: Tensor) -> Tensor:
        """The piece of the clip that a frame lies in, int64."""
        return frame * self._bins // len(self._frames.following)

    def _spread(self) -> Tensor:
        """First frames of numbered episodes that start anywhere but in the last second, int64. Shape: (num_envs,).

        Those of any count are spread evenly.
        """
        share = (self._world.episode_number.to(torch.float64) * GOLDEN) % 1.0
        count = max(len(self._startable) - round(1.0 / self._world.cfg.control_dt), 1)
        return self._startable[drawn(share, count)]

    def _drawn(self) -> Tensor:
        """First frames of episodes of a training, int64: any but the last, which no other follows.

        Shape: (num_envs,).
        """
        draws = self._world.draw("motion/frame", 2)
        share = draws[:, 0]
        if self._failures:
            failures, even = self.memory["failures"], torch.full_like(self.memory["failures"], 1.0 / self._bins)
            total = failures.sum()
            failing = torch.where(total > 0.0, failures / total.clamp(min=1e-12), even)
            weights = (1.0 - EVEN_SHARE) * failing + EVEN_SHARE * even
            # Sums of the first so many, by a product: on a GPU cumsum has no deterministic implementation.
            sums = (weights * torch.ones(self._bins, self._bins, device=weights.device).tril()).sum(dim=1)
            chosen = (share[:, None] * sums[-1] >= sums[:-1]).sum(dim=1)
            share = (chosen + draws[:, 1]) / self._bins
        return self._startable[drawn(share, len(self._startable))]

    def _near(self, frames: Frames) -> StateWrite:
        """A state near that of a frame for every environment."""
        draws = self._world.draw("motion/noise", len(self._widths))
        drawn_starts = self._world.purpose.drawn_starts
        share = 1.0 if drawn_starts is None else drawn_starts
        away = share * self._widths * (2.0 * draws - 1.0)
        pos, angles, vel, joint_pos = away.split([3, 3, 6, len(self._widths) - 12], dim=1)
        turn = quat_of_angles(*angles.unbind(1))
        quat = quat_multiply(turn, frames.base_pose_w[:, 3:])
        return StateWrite(
            joint_pos=frames.joint_pos + joint_pos,
            joint_vel=frames.joint_vel,
            base_pose_w=torch.cat([frames.base_pose_w[:, :3] + pos, quat], dim=1),
            base_vel_w=frames.base_vel_w + vel,
        )
