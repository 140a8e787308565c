"""Rewards and measures of how a velocity command is followed. Each returns (num_envs,), rewards unweighted."""

from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from genelab.mdp.params import Command, Range
from genelab.mdp.state import StateView

Axes = Annotated[tuple[Literal["x", "y", "turn"], ...], Field(min_length=1)]
"""Components of a command."""


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


def achieved(state: StateView) -> Tensor:
    """What the base does, to compare with a command: velocity in the plane and turn, in its own frame.

    Shape: (num_envs, 3).
    """
    base = state.floating
    return torch.cat([base.lin_vel_b[:, :2], base.ang_vel_b[:, 2:]], dim=1)
