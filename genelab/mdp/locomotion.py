"""Reward terms of robots with a floating base and feet. Each returns (num_envs,), unweighted.

A velocity command is (x, y, turn): m/s, m/s and rad/s in the frame of the base.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from genelab.mdp import terminations
from genelab.mdp.params import Command, Joints, Links, Range
from genelab.mdp.state import StateView

Axes = Annotated[tuple[Literal["x", "y", "turn"], ...], Field(min_length=1)]
"""Components of a velocity command."""


def track_lin_vel(state: StateView, command: Command, width: PositiveFloat) -> Tensor:
    """exp(-(|command_xy - v_xy|^2 + v_z^2) / width), v in the base frame; `width` in (m/s)^2."""
    error = velocity_error(state, command).square().sum(dim=1) + state.floating.lin_vel_b[:, 2].square()
    return torch.exp(-error / width)


def track_ang_vel(state: StateView, command: Command, width: PositiveFloat) -> Tensor:
    """exp(-((command_turn - w_z)^2 + w_x^2 + w_y^2) / width), w in the base frame; `width` in (rad/s)^2."""
    turn = state.floating.ang_vel_b
    error = (state.commands[command][:, 2] - turn[:, 2]).square() + turn[:, :2].square().sum(dim=1)
    return torch.exp(-error / width)


def velocity_error(state: StateView, command: Command) -> Tensor:
    """Commanded minus actual velocity in the plane of the base, m/s. Shape: (num_envs, 2)."""
    return state.commands[command][:, :2] - state.floating.lin_vel_b[:, :2]


def lateral_error(state: StateView, command: Command) -> Tensor:
    """|command_y - v_y|, m/s."""
    return velocity_error(state, command)[:, 1].abs()


def turn_error(state: StateView, command: Command) -> Tensor:
    """|command_turn - w_z|, rad/s."""
    return (state.commands[command][:, 2] - state.floating.ang_vel_b[:, 2]).abs()


def asked_to_move(state: StateView, command: Command, threshold: NonNegativeFloat, axes: Axes) -> Tensor:
    """Whether |v| + |turn| of the command, of the named axes `x`, `y` and `turn`, is above a threshold, bool."""
    asked = state.commands[command]
    total = torch.hypot(asked[:, 0] * ("x" in axes), asked[:, 1] * ("y" in axes))
    if "turn" in axes:
        total = total + asked[:, 2].abs()
    return total > threshold


def feet_in_the_air(
    state: StateView, command: Command, air_range: Range, threshold: NonNegativeFloat, axes: Axes
) -> Tensor:
    """Number of feet that have been in the air for longer and shorter than `air_range` (s), where asked to move."""
    air = state.feet.air_s
    stepping = ((air > air_range[0]) & (air < air_range[1])).sum(dim=1)
    return stepping * asked_to_move(state, command, threshold, axes)


def foot_slip(state: StateView, command: Command, threshold: NonNegativeFloat, axes: Axes) -> Tensor:
    """Sum over feet in contact of their squared velocity in the world's plane, (m/s)^2, where asked to move."""
    feet = state.feet
    slip = (feet.vel_w[..., :2].square().sum(dim=2) * feet.contact).sum(dim=1)
    return slip * asked_to_move(state, command, threshold, axes)


def lin_vel_z(state: StateView) -> Tensor:
    """Squared velocity along the base's z axis, (m/s)^2."""
    return state.floating.lin_vel_b[:, 2].square()


def ang_vel_xy(state: StateView) -> Tensor:
    """Squared angular velocity of the base about the world's x and y axes, (rad/s)^2."""
    return state.floating.ang_vel_w[:, :2].square().sum(dim=1)


def tilt(state: StateView) -> Tensor:
    """Squared sine of the tilt of the base from upright."""
    return state.floating.gravity_b[:, :2].square().sum(dim=1)


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


def commanded_speed(state: StateView, command: Command) -> Tensor:
    """Speed in the plane that is asked for, m/s."""
    return state.commands[command][:, :2].norm(dim=1)


def speed_along_command(state: StateView, command: Command) -> Tensor:
    """Velocity in the direction that is asked for, m/s; 0 where no motion in the plane is."""
    asked = state.commands[command][:, :2]
    length = asked.norm(dim=1)
    along = (asked * state.floating.lin_vel_b[:, :2]).sum(dim=1)
    return torch.where(length > 0.0, along / length.clamp(min=1e-6), torch.zeros_like(along))


def lin_vel_error(state: StateView, command: Command) -> Tensor:
    """|command_xy - v_xy|, m/s."""
    return velocity_error(state, command).norm(dim=1)


def away_from_start(state: StateView, distance: NonNegativeFloat) -> Tensor:
    """One if the base is further than `distance`, m, in the plane from where its episodes start, else zero."""
    body = state.floating
    away = (body.pos_w - body.origin_w)[:, :2].norm(dim=1)
    return (away > distance).to(away.dtype)
