"""Events: what is written at a reset or at random intervals. Each returns a `StateWrite` for all environments."""

from typing import Annotated

import torch
from pydantic import AfterValidator, NonNegativeFloat, ValidationInfo

from genelab.config.terrain import SPAWN_M
from genelab.mdp.params import Joints, Object, Range, environment
from genelab.mdp.state import EventContext, StateWrite


def _near_the_centre(offsets: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
    """On a terrain nobody starts within the ground: its height is known near the centre of a cell alone."""
    if environment(info).terrain is not None and max(map(abs, offsets)) > SPAWN_M:
        raise ValueError(f"must lie within ±{SPAWN_M:g} m of a cell's centre")
    return offsets


StartOffset = Annotated[Range, AfterValidator(_near_the_centre)]
"""Lowest and highest distance from where an episode starts, m."""


def uniform_joint_state(context: EventContext, position_range: Range, velocity_range: Range) -> StateWrite:
    """Defaults plus uniform offsets in position (m or rad) and velocity (m/s or rad/s), for every joint."""
    joints = len(context.state.names.joints)
    draws = context.uniform(2 * joints)
    (pos_low, pos_high), (vel_low, vel_high) = position_range, velocity_range
    return StateWrite(
        joint_pos=context.state.default_joint_pos + (pos_low + (pos_high - pos_low) * draws[:, :joints]),
        joint_vel=vel_low + (vel_high - vel_low) * draws[:, joints:],
    )


def set_joint_velocity(context: EventContext, joints: Joints, velocity_range: Range) -> StateWrite:
    """Replace the velocity of some joints by a uniform draw, m/s or rad/s; the others keep theirs."""
    joint_vel = context.state.joint_vel
    columns = context.state.names.joint_columns(joints, joint_vel.device)
    low, high = velocity_range
    drawn = low + (high - low) * context.uniform(len(joints))
    return StateWrite(joint_vel=joint_vel.index_copy(1, columns, drawn))


def uniform_object_position(
    context: EventContext,
    object: Object,  # noqa: A002 the name of the parameter in configs
    center: tuple[float, float, float],
    half_width: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat],
) -> StateWrite:
    """Put an object upright and at rest, `center` plus a uniform offset of up to `half_width` per axis, world frame, m.

    The orientation is the identity: what the last episode left is no part of the next.
    """
    draws = context.uniform(3)
    # By numbers, not by tensors of them, for which a GPU would have to wait.
    pos = [m + half * (2.0 * draws[:, k] - 1.0) for k, (m, half) in enumerate(zip(center, half_width, strict=True))]
    one, zero = torch.ones_like(pos[0]), torch.zeros_like(pos[0])
    return StateWrite(object_pose_w={object: torch.stack([*pos, one, zero, zero, zero], dim=1)})


def uniform_base_pose(
    context: EventContext, x_range: StartOffset, y_range: StartOffset, yaw_range: Range, z_range: Range = (0.0, 0.0)
) -> StateWrite:
    """Put a floating base at rest at its start, plus uniform offsets.

    Args:
        context: state and draws.
        x_range: along x, m.
        y_range: along y, m.
        yaw_range: about the vertical, rad.
        z_range: along z, m.
    """
    body = context.state.floating
    ranges = (x_range, y_range, yaw_range, z_range)
    draws = context.uniform(len(ranges))
    x, y, yaw, z = (low + (high - low) * draws[:, k] for k, (low, high) in enumerate(ranges))
    pos = body.origin_w + body.default_pos + torch.stack([x, y, z], dim=1)
    zero = torch.zeros_like(yaw)
    quat = torch.stack([torch.cos(0.5 * yaw), zero, zero, torch.sin(0.5 * yaw)], dim=1)
    return StateWrite(base_pose_w=torch.cat([pos, quat], dim=1), base_vel_w=torch.zeros(len(pos), 6, device=pos.device))


def push_base(
    context: EventContext,
    speed_range: Range,
    yaw_rate_range: Range,
    up_range: Range = (0.0, 0.0),
    tilt_rate_range: Range = (0.0, 0.0),
) -> StateWrite:
    """Replace the velocity of a floating base by uniform draws, world frame.

    Args:
        context: draws.
        speed_range: along x and along y, m/s.
        yaw_rate_range: the turn about the vertical, rad/s.
        up_range: along z, m/s.
        tilt_rate_range: the turn about x and about y, rad/s.
    """
    ranges = (speed_range, speed_range, yaw_rate_range, up_range, tilt_rate_range, tilt_rate_range)
    draws = context.uniform(len(ranges))
    x, y, yaw, up, roll, pitch = (low + (high - low) * draws[:, k] for k, (low, high) in enumerate(ranges))
    return StateWrite(base_vel_w=torch.stack([x, y, up, roll, pitch, yaw], dim=1))
