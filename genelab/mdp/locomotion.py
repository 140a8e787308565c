"""Reward terms of robots with a floating base and feet. Each returns (num_envs,), unweighted."""

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from genelab.mdp import terminations
from genelab.mdp.params import Joints, Link, Links
from genelab.mdp.state import StateView


def lin_vel_z(state: StateView) -> Tensor:
    """Squared velocity along the base's z axis, (m/s)^2."""
    return state.floating.lin_vel_b[:, 2].square()


def ang_vel_xy(state: StateView) -> Tensor:
    """Squared angular velocity of the base about the world's x and y axes, (rad/s)^2."""
    return state.floating.ang_vel_w[:, :2].square().sum(dim=1)


def tilt(state: StateView) -> Tensor:
    """Squared sine of the tilt of the base from upright."""
    return state.floating.gravity_b[:, :2].square().sum(dim=1)


def link_upright(state: StateView, link: Link, width: PositiveFloat) -> Tensor:
    """exp(-(squared sine of the tilt of a link's z axis from the vertical) / width)."""
    w, x, y, z = state.link_quat_w[:, state.names.link_id(link)].unbind(1)
    # The horizontal part of the vertical, in the link's frame.
    sine = (2.0 * (x * z - w * y)).square() + (2.0 * (y * z + w * x)).square()
    return torch.exp(-sine / width)


def link_ang_vel_xy(state: StateView, link: Link) -> Tensor:
    """Squared angular velocity of a link about the world's x and y axes, (rad/s)^2."""
    return state.link_ang_vel_w[:, state.names.link_id(link), :2].square().sum(dim=1)


def base_height(state: StateView, target: float) -> Tensor:
    """Squared difference of the base's height above the ground from a target, m^2."""
    return (state.floating.height - target).square()


def joint_torque(state: StateView, joints: Joints) -> Tensor:
    """Sum of squared actuator torques, (N m)^2."""
    columns = state.names.joint_columns(joints, state.joint_pos.device)
    return state.floating.joint_torque.index_select(1, columns).square().sum(dim=1)


def joint_acceleration(state: StateView, joints: Joints) -> Tensor:
    """Sum of squared changes of joint velocity over a control step, per its time, (rad/s^2)^2."""
    columns = state.names.joint_columns(joints, state.joint_pos.device)
    change = (state.joint_vel - state.floating.previous_joint_vel).index_select(1, columns)
    return (change / state.floating.control_dt).square().sum(dim=1)


def beyond_joint_limits(state: StateView, joints: Joints) -> Tensor:
    """Sum of what joints exceed their limits by, m or rad. A joint without limits adds nothing."""
    columns = state.names.joint_columns(joints, state.joint_pos.device)
    low, high = state.floating.joint_range.index_select(1, columns)
    pos = state.joint_pos.index_select(1, columns)
    return ((low - pos).clamp(min=0.0) + (pos - high).clamp(min=0.0)).sum(dim=1)


def touching(state: StateView, links: Links, force: NonNegativeFloat) -> Tensor:
    """One if the net contact force on any of the links is above `force`, N, else zero."""
    return terminations.touching(state, links, force).to(state.joint_pos.dtype)


def away_from_start(state: StateView, distance: NonNegativeFloat) -> Tensor:
    """One if the base is further than `distance`, m, in the plane from where its episodes start, else zero."""
    body = state.floating
    away = (body.pos_w - body.origin_w)[:, :2].norm(dim=1)
    return (away > distance).to(away.dtype)
