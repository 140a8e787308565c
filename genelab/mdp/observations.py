"""Observation terms. Each returns (num_envs, dim)."""

import torch
from pydantic import PositiveFloat
from torch import Tensor

from genelab.mdp.params import Command, Extents, Joints, Link, Object, Rising
from genelab.mdp.rotations import quat_apply_inverse
from genelab.mdp.state import StateView, Vector
from genelab.mdp.term import AXIAL, BY_NAME, SCALAR, VECTOR, XYZ, Grid, OfAction, OfCommand, PerFoot, PerJoint, term


@term(PerJoint("joints"), unit="m or rad", mirror=BY_NAME)
def joint_pos_rel(state: StateView, joints: Joints) -> Tensor:
    """Joint positions minus their defaults, m or rad."""
    columns = state.names.joint_columns(joints, state.joint_pos.device)
    return state.joint_pos_of(joints) - state.default_joint_pos[columns]


@term(PerJoint("joints"), unit="m/s or rad/s", mirror=BY_NAME)
def joint_vel_rel(state: StateView, joints: Joints) -> Tensor:
    """Joint velocities minus their defaults, which are zero, m/s or rad/s."""
    return state.joint_vel_of(joints)


@term(XYZ, unit="rad/s")
def link_ang_vel(state: StateView, link: Link) -> Tensor:
    """Angular velocity of a link in its own frame, rad/s."""
    column = state.names.link_id(link)
    return quat_apply_inverse(state.link_quat_w[:, column], state.link_ang_vel_w[:, column])


@term(OfAction(), mirror=BY_NAME)
def last_action(state: StateView) -> Tensor:
    """The raw action applied last, zero at the start of an episode."""
    return state.action


@term(XYZ, unit="m")
def link_pos(state: StateView, link: Link) -> Tensor:
    """Position of a link's origin in the world frame, m."""
    return state.link_pos_w[:, state.names.link_id(link)]


@term(XYZ, unit="m")
def object_pos(state: StateView, object: Object) -> Tensor:  # noqa: A002 the name of the parameter in configs
    """Position of an object's centre in the world frame, m."""
    return state.object_pos_w[:, state.names.object_id(object)]


@term(("share",), mirror=SCALAR)
def time_left(state: StateView) -> Tensor:
    """Share of the episode that is left, from 1 down to 0 at its time limit."""
    return 1.0 - state.episode_step[:, None].to(state.joint_pos.dtype) / state.max_episode_steps


@term(XYZ, unit="m/s", mirror=VECTOR)
def base_lin_vel(state: StateView) -> Tensor:
    """Velocity of a floating base in its own frame, m/s."""
    return state.floating.lin_vel_b


@term(XYZ, unit="m/s", mirror=VECTOR)
def point_lin_vel(state: StateView, offset: Vector) -> Tensor:
    """Velocity of a point of a floating base, such as its IMU, in the base's frame, m/s.

    Args:
        state: the state.
        offset: the point in the base's frame, m. Its mirror image is that of a point in the middle plane.
    """
    body = state.floating
    # v + w x r, component by component: a tensor of the offset would be copied to the device in every step.
    (w_x, w_y, w_z), (x, y, z) = body.ang_vel_b.unbind(1), offset
    turned = torch.stack([w_y * z - w_z * y, w_z * x - w_x * z, w_x * y - w_y * x], dim=1)
    return body.lin_vel_b + turned


@term(PerFoot(), unit="s", mirror=BY_NAME)
def foot_air_time(state: StateView) -> Tensor:
    """Time for which each foot has been in the air, s."""
    return state.feet.air_s


@term(PerFoot(), mirror=BY_NAME)
def foot_contact(state: StateView) -> Tensor:
    """One for each foot in contact, else zero."""
    return state.feet.contact.to(state.joint_pos.dtype)


@term(PerFoot(XYZ, VECTOR), mirror=BY_NAME)
def foot_force_log(state: StateView) -> Tensor:
    """sign(f) log(1 + |f|) of the net contact force on each foot's link, N, world frame.

    The mirror image is that of the world at its x-z plane, in which the robot's is the image at its own.
    """
    force = state.feet.force_w.flatten(1)
    return force.sign() * force.abs().log1p()


@term(XYZ, unit="rad/s", mirror=AXIAL)
def base_ang_vel(state: StateView) -> Tensor:
    """Angular velocity of a floating base in its own frame, rad/s."""
    return state.floating.ang_vel_b


@term(XYZ, mirror=VECTOR)
def projected_gravity(state: StateView) -> Tensor:
    """Direction of gravity in the frame of a floating base, a unit vector."""
    return state.floating.gravity_b


@term(OfCommand("command"))
def command(state: StateView, command: Command) -> Tensor:
    """A command as it was drawn, in its own units."""
    return state.commands[command]


@term(Grid("size", "resolution"), unit="m", mirror=BY_NAME)
def height_scan(
    state: StateView,
    link: Link,
    size: Extents,
    resolution: PositiveFloat,
    offset: float = 0.0,
    clip: Rising | None = None,
) -> Tensor:
    """Height of a link above the ground at the points of a grid around it, m.

    The grid is centred on the link's origin, turned with its heading and level. Its points run from the back right to
    the front left, along y (left) fastest.

    Args:
        state: the state.
        link: the link.
        size: extent along the heading and across, m. A multiple of `resolution`, ends included: 1.6 x 1.0 m at 0.1 m
            are 17 x 11 points.
        resolution: distance of two points, m.
        offset: taken off each value, m: what the link's height is when it stands.
        clip: lowest and highest value after that, m; None for neither.

    Returns:
        Link z - ground z - offset, clipped. Shape: (num_envs, points).
    """
    column = state.names.link_id(link)
    pos, (w, x, y, z) = state.link_pos_w[:, column], state.link_quat_w[:, column].unbind(dim=-1)
    # The link's x axis, laid flat. Straight up or down it has no direction, and the grid shrinks to a point.
    heading = torch.stack([1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z)], dim=-1)
    ahead = heading / heading.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    left = torch.stack([-ahead[:, 1], ahead[:, 0]], dim=-1)
    along, across = (_centred(extent, resolution, pos.device) for extent in size)
    points = along[:, None, None] * ahead[:, None, None, :] + across[:, None] * left[:, None, None, :]
    ground = state.terrain.height_at(pos[:, None, :2] + points.flatten(1, 2))
    above = pos[:, 2:] - ground - offset
    return above if clip is None else above.clamp(clip[0], clip[1])


def _centred(extent: float, resolution: float, device: torch.device) -> Tensor:
    intervals = round(extent / resolution)
    return (torch.arange(intervals + 1, device=device) - intervals / 2) * resolution
