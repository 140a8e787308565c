"""Rewards and measures of how a velocity command is followed. Each returns (num_envs,), rewards unweighted."""

import functools
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from genelab.families.velocity.sensors import MomentumState, SelfContactState, SwingState
from genelab.mdp.params import Command, JointValues, Range
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


def pose(
    state: StateView,
    command: Command,
    standing: JointValues,
    walking: JointValues,
    running: JointValues,
    walks_above: NonNegativeFloat,
    runs_above: NonNegativeFloat,
) -> Tensor:
    """exp(-mean over joints of ((q - q_default) / width)^2), the width by joint and by how much motion is asked for.

    Args:
        state: the state.
        command: |v| + |turn| of it tells standing from walking and running.
        standing: widths up to `walks_above`, rad. All three name the same joints.
        walking: widths up to `runs_above`, rad.
        running: widths beyond, rad.
        walks_above: lowest |v| + |turn| at which the robot walks.
        runs_above: lowest one at which it runs.
    """
    joints, device = tuple(standing), state.joint_pos.device
    widths = _table(*(tuple(each[joint] for joint in joints) for each in (standing, walking, running)), device=device)
    asked = state.commands[command]
    amount = asked[:, :2].norm(dim=1) + asked[:, 2].abs()
    pace = (amount >= walks_above).to(torch.int64) + (amount >= runs_above).to(torch.int64)
    columns = state.names.joint_columns(joints, device)
    away = state.joint_pos_of(joints) - state.default_joint_pos[columns]
    return torch.exp(-(away / widths[pace]).square().mean(dim=1))


@functools.cache
def _table(*rows: tuple[float, ...], device: torch.device) -> Tensor:
    # Kept: a GPU would wait for it in every step.
    return torch.tensor(rows, device=device)


def foot_clearance(
    state: StateView, command: Command, height: PositiveFloat, threshold: NonNegativeFloat, axes: Axes
) -> Tensor:
    """Sum over feet of |height above the ground - `height`| times speed in the plane, m^2/s, where asked to move."""
    away = (state.of(SwingState).height - height).abs()
    cost = (away * state.feet.vel_w[..., :2].norm(dim=2)).sum(dim=1)
    return cost * asked_to_move(state, command, threshold, axes)


def foot_swing_height(
    state: StateView, command: Command, height: PositiveFloat, threshold: NonNegativeFloat, axes: Axes
) -> Tensor:
    """Sum over feet that land of clip(peak of the swing / `height` - 1, -1, 3)^2, where asked to move."""
    swing = state.of(SwingState)
    missed = (swing.peak / height - 1.0).clamp(-1.0, 3.0).square()
    return (missed * swing.landed).sum(dim=1) * asked_to_move(state, command, threshold, axes)


def soft_landing(state: StateView, command: Command, threshold: NonNegativeFloat, axes: Axes) -> Tensor:
    """Sum over feet that land of the net contact force on them, N, where asked to move."""
    force = state.feet.force_w.norm(dim=2) * state.of(SwingState).landed
    return force.sum(dim=1) * asked_to_move(state, command, threshold, axes)


def self_collisions(state: StateView) -> Tensor:
    """Control steps of the last few at whose end the robot touched itself."""
    return state.of(SelfContactState).hits.to(state.joint_pos.dtype)


def angular_momentum(state: StateView) -> Tensor:
    """Squared angular momentum of the whole robot about its base, (kg m^2/s)^2."""
    return state.of(MomentumState).angular_w.square().sum(dim=1)


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
