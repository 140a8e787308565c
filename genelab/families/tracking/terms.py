"""Observations, rewards, terminations and measures of motion tracking. Rewards and measures return (num_envs,)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import PositiveFloat
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.scene import mirror_name
from genelab.errors import InputError
from genelab.families.tracking.motion import MotionState
from genelab.mdp.params import Arguments, Joints, Link, Links
from genelab.mdp.rotations import quat_apply_inverse, quat_conjugate, quat_multiply, rotation_vector, two_columns
from genelab.mdp.state import StateView
from genelab.mdp.term import BY_NAME, VECTOR, XYZ, Images, PerJoint, Signs, term

ROTATION = ("xx", "xy", "yx", "yy", "zx", "zy")
"""Row and column of the numbers of a rotation matrix that stand for it."""
ROTATION_SIGNS: Signs = (1.0, -1.0, -1.0, 1.0, 1.0, -1.0)
"""Of its mirror image, which is M R M with M = diag(1, -1, 1): what has one y in its name changes its sign."""


@dataclass(frozen=True)
class PerLink:
    """The same columns for each link that a parameter names."""

    param: str
    columns: tuple[str, ...]
    """Those of one link."""
    signs: Signs
    """Signs of their mirror images."""

    def names(self, env: EnvCfg, args: Arguments) -> Sequence[str]:
        """One name for each column. See `genelab.mdp.term.Columns`."""
        return [f"{link} {column}" for link in args[self.param] for column in self.columns]

    def images(self, env: EnvCfg, args: Arguments) -> Images:
        """Mirror images by the names of the links.

        Raises:
            InputError: if the robot is not symmetric, or the image of a link is not among them.
        """
        if env.robot.mirror is None:
            raise InputError("env.robot.mirror = null: a mirror image needs it")
        links, found = list(args[self.param]), Images()
        for link in links:
            image, _ = mirror_name(env.robot.mirror, link)
            if image not in links:
                raise InputError(f"mirror image of link '{link}' is '{image}', which is not among {links}")
            start = links.index(image) * len(self.columns)
            found += [(start + column, sign) for column, sign in enumerate(self.signs)]
        return found


@term(PerJoint("joints"), unit="m or rad", mirror=BY_NAME)
def wanted_joint_pos(state: StateView, joints: Joints) -> Tensor:
    """Joint positions of the clip's frame, m or rad."""
    columns = state.names.joint_columns(joints, state.joint_pos.device)
    return state.of(MotionState).wanted.joint_pos.index_select(1, columns)


@term(PerJoint("joints"), unit="m/s or rad/s", mirror=BY_NAME)
def wanted_joint_vel(state: StateView, joints: Joints) -> Tensor:
    """Joint velocities of the clip's frame, m/s or rad/s."""
    columns = state.names.joint_columns(joints, state.joint_pos.device)
    return state.of(MotionState).wanted.joint_vel.index_select(1, columns)


@term(XYZ, unit="m", mirror=VECTOR)
def wanted_anchor_pos(state: StateView) -> Tensor:
    """Position of the clip's anchor in the frame of the robot's, m."""
    motion = state.of(MotionState)
    away = motion.wanted.link_pos_w[:, motion.anchor] - motion.link_pos_w[:, motion.anchor]
    return quat_apply_inverse(motion.link_quat_w[:, motion.anchor], away)


@term(ROTATION, mirror=ROTATION_SIGNS)
def wanted_anchor_rotation(state: StateView) -> Tensor:
    """Orientation of the clip's anchor in the frame of the robot's: two columns of its rotation matrix.

    The mirror image is that of an anchor in the middle of the robot.
    """
    motion = state.of(MotionState)
    mine, wanted = motion.link_quat_w[:, motion.anchor], motion.wanted.link_quat_w[:, motion.anchor]
    return two_columns(quat_multiply(quat_conjugate(mine), wanted))


@term(PerLink("links", XYZ, VECTOR), unit="m", mirror=BY_NAME)
def link_positions(state: StateView, links: Links, frame: Link) -> Tensor:
    """Positions of the robot's links in the frame of one in its middle, m."""
    columns, own = state.names.link_columns(links, state.joint_pos.device), state.names.link_id(frame)
    away = state.link_pos_w.index_select(1, columns) - state.link_pos_w[:, own, None]
    return quat_apply_inverse(state.link_quat_w[:, own, None], away).flatten(1)


@term(PerLink("links", ROTATION, ROTATION_SIGNS), mirror=BY_NAME)
def link_rotations(state: StateView, links: Links, frame: Link) -> Tensor:
    """Orientations of the robot's links in the frame of one in its middle: two columns of each rotation matrix."""
    columns, own = state.names.link_columns(links, state.joint_pos.device), state.names.link_id(frame)
    quat = quat_multiply(quat_conjugate(state.link_quat_w[:, own, None]), state.link_quat_w.index_select(1, columns))
    return two_columns(quat).flatten(1)


def anchor_pos(state: StateView, width: PositiveFloat) -> Tensor:
    """exp(-d^2 / width^2), d the distance of the robot's anchor from the clip's in the world; `width` in m."""
    return torch.exp(-anchor_distance(state).square() / width**2)


def anchor_rotation(state: StateView, width: PositiveFloat) -> Tensor:
    """exp(-angle^2 / width^2) of the rotation from the robot's anchor to the clip's in the world; `width` in rad."""
    motion = state.of(MotionState)
    mine, wanted = motion.link_quat_w[:, motion.anchor], motion.wanted.link_quat_w[:, motion.anchor]
    return torch.exp(-_square_angle(mine, wanted) / width**2)


def link_pos(state: StateView, width: PositiveFloat) -> Tensor:
    """exp(-mean over links of d^2 / width^2), d the distance from the aligned clip; `width` in m."""
    motion = state.of(MotionState)
    return _near(motion.aligned_pos_w - motion.link_pos_w, width)


def link_rotation(state: StateView, width: PositiveFloat) -> Tensor:
    """exp(-mean over links of angle^2 / width^2) of the rotation from the aligned clip; `width` in rad."""
    motion = state.of(MotionState)
    return torch.exp(-_square_angle(motion.link_quat_w, motion.aligned_quat_w).mean(dim=1) / width**2)


def link_lin_vel(state: StateView, width: PositiveFloat) -> Tensor:
    """exp(-mean over links of |v - v_clip|^2 / width^2), both in the world as they are; `width` in m/s."""
    motion = state.of(MotionState)
    return _near(motion.wanted.link_lin_vel_w - motion.link_lin_vel_w, width)


def link_ang_vel(state: StateView, width: PositiveFloat) -> Tensor:
    """exp(-mean over links of |w - w_clip|^2 / width^2), both in the world as they are; `width` in rad/s."""
    motion = state.of(MotionState)
    return _near(motion.wanted.link_ang_vel_w - motion.link_ang_vel_w, width)


def clip_ended(state: StateView) -> Tensor:
    """Whether the clip is at its last frame, bool. A termination that truncates."""
    motion = state.of(MotionState)
    return motion.wanted.following == motion.frame


def anchor_behind(state: StateView, limit: PositiveFloat) -> Tensor:
    """Whether the robot's anchor is further than `limit` from the clip's in the plane, m, bool."""
    motion = state.of(MotionState)
    away = motion.wanted.link_pos_w[:, motion.anchor, :2] - motion.link_pos_w[:, motion.anchor, :2]
    return away.norm(dim=1) > limit


def anchor_height_off(state: StateView, limit: PositiveFloat) -> Tensor:
    """Whether the robot's anchor is higher or lower than the clip's by more than `limit`, m, bool."""
    motion = state.of(MotionState)
    off = motion.wanted.link_pos_w[:, motion.anchor, 2] - motion.link_pos_w[:, motion.anchor, 2]
    return off.abs() > limit


def anchor_tilt_off(state: StateView, limit: PositiveFloat) -> Tensor:
    """Whether the z components of gravity, a unit vector in the frames of the two anchors, differ by more, bool."""
    motion = state.of(MotionState)
    mine, wanted = motion.link_quat_w[:, motion.anchor], motion.wanted.link_quat_w[:, motion.anchor]
    return (_gravity_z(wanted) - _gravity_z(mine)).abs() > limit


def link_height_off(state: StateView, links: Links, limit: PositiveFloat) -> Tensor:
    """Whether any of some tracked links is higher or lower than the clip has it by more than `limit`, m, bool."""
    motion = state.of(MotionState)
    columns = motion.names.link_columns(links, motion.frame.device)
    # Alignment with the robot's heading and place leaves heights as they are.
    off = (motion.wanted.link_pos_w - motion.link_pos_w)[..., 2].index_select(1, columns)
    return (off.abs() > limit).any(dim=1)


def link_distance(state: StateView) -> Tensor:
    """Mean distance of the tracked links from the aligned clip, m."""
    motion = state.of(MotionState)
    return (motion.aligned_pos_w - motion.link_pos_w).norm(dim=2).mean(dim=1)


def anchor_distance(state: StateView) -> Tensor:
    """Distance of the robot's anchor from the clip's in the world, m."""
    motion = state.of(MotionState)
    return (motion.wanted.link_pos_w[:, motion.anchor] - motion.link_pos_w[:, motion.anchor]).norm(dim=1)


def wanted_speed(state: StateView) -> Tensor:
    """Speed of the clip's anchor in the plane, m/s."""
    motion = state.of(MotionState)
    return motion.wanted.link_lin_vel_w[:, motion.anchor, :2].norm(dim=1)


def speed_along_clip(state: StateView) -> Tensor:
    """Velocity of the robot's anchor in the plane, in the direction of the clip's, m/s; 0 where that stands still.

    Over an episode, its mean over that of `wanted_speed` is the share of the clip's way that the robot made.
    """
    motion = state.of(MotionState)
    wanted, mine = (v[:, motion.anchor, :2] for v in (motion.wanted.link_lin_vel_w, motion.link_lin_vel_w))
    speed = wanted.norm(dim=1)
    return torch.where(speed > 0.0, (wanted * mine).sum(dim=1) / speed.clamp(min=1e-6), torch.zeros_like(speed))


def _near(away: Tensor, width: float) -> Tensor:
    """exp(-mean square / width^2). Shapes: (num_envs, links, 3) -> (num_envs,)."""
    return torch.exp(-away.square().sum(dim=2).mean(dim=1) / width**2)


def _square_angle(one: Tensor, other: Tensor) -> Tensor:
    """Square of the angle between orientations, rad^2. Shapes: (..., 4), (..., 4) -> (...)."""
    return rotation_vector(quat_multiply(one, quat_conjugate(other))).square().sum(dim=-1)


def _gravity_z(quat: Tensor) -> Tensor:
    """The z component of the direction of gravity in a frame. Shapes: (..., 4) -> (...)."""
    return 2.0 * (quat[..., 1].square() + quat[..., 2].square()) - 1.0
