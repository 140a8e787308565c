"""The command of velocity tasks."""

import math
from collections.abc import Sequence

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from genelab.functions import played_with
from genelab.mdp.params import Range, Share
from genelab.mdp.rotations import quat_yaw
from genelab.mdp.state import Drawn, EventContext
from genelab.mdp.term import term

Widening = tuple[tuple[NonNegativeFloat, float, float, float, float, float, float], ...]
"""Rows in order: control steps of the training from which on other ranges hold, and the lowest and highest of x, y and
turn."""


CONTROLS = "genelab.families.velocity.controls:Joystick"


@played_with(CONTROLS)
@term(("x", "y", "turn"), unit="m/s, m/s and rad/s", mirror=(1.0, -1.0, -1.0))
def velocity(
    context: EventContext,
    x_range: Range,
    y_range: Range,
    yaw_rate_range: Range,
    forward_share: Share,
    forward_min: NonNegativeFloat,
    standing_share: Share,
    widening: Widening = (),
) -> Tensor:
    """A command: velocities x and y (m/s) and rate of turn about z (rad/s), in the frame of the base.

    Args:
        context: draws.
        x_range: lowest and highest velocity forward, m/s.
        y_range: the same to the left, m/s.
        yaw_rate_range: the same of the turn to the left, rad/s.
        forward_share: share of the draws that are straight ahead, with the amount of the velocity x.
        forward_min: slowest of those, m/s.
        standing_share: share of the draws that are zero, whatever else they are.
        widening: other ranges later in a training. An evaluation has the first ones.
    """
    draws = context.uniform(5)
    ranges = _ranges(context, (x_range, y_range, yaw_rate_range), widening)
    return _velocity(draws, ranges, forward_share, forward_min, standing_share)


@played_with(CONTROLS)
@term(
    ("x", "y", "turn", "heading", "turns_to_it"),
    unit="m/s, m/s, rad/s, rad and 1 or 0",
    mirror=(1.0, -1.0, -1.0, -1.0, 1.0),
)
def velocity_or_heading(
    context: EventContext,
    x_range: Range,
    y_range: Range,
    yaw_rate_range: Range,
    forward_share: Share,
    forward_min: NonNegativeFloat,
    standing_share: Share,
    heading_share: Share,
    widening: Widening = (),
) -> Tensor:
    """What `turn_to_heading` makes a command of: that of `velocity`, a heading in the world, and whether to turn to it.

    Args:
        context: draws.
        x_range: as of `velocity`, and so the others.
        y_range: see there.
        yaw_rate_range: see there.
        forward_share: see there.
        forward_min: see there.
        standing_share: see there.
        heading_share: share of the draws that turn to a heading, also of those straight ahead, but of none that stand.
        widening: see there.
    """
    draws = context.uniform(7)
    ranges = _ranges(context, (x_range, y_range, yaw_rate_range), widening)
    drawn = _velocity(draws, ranges, forward_share, forward_min, standing_share)
    turns = (draws[:, 6] < heading_share) & (draws[:, 4] >= standing_share)
    heading = (2.0 * draws[:, 5] - 1.0) * math.pi
    return torch.cat([drawn, heading[:, None], turns[:, None].to(drawn.dtype)], dim=1)


@term(("x", "y", "turn"), unit="m/s, m/s and rad/s", mirror=(1.0, -1.0, -1.0))
def turn_to_heading(drawn: Drawn, stiffness: NonNegativeFloat, yaw_rate_range: Range) -> Tensor:
    """The command whose turn leads to the heading, where `velocity_or_heading` says so.

    Args:
        drawn: what it drew.
        stiffness: rate of turn per angle to the heading, 1/s.
        yaw_rate_range: limits of that rate, rad/s.
    """
    x, y, turn, heading, turns = drawn.values.unbind(dim=1)
    away = heading - quat_yaw(drawn.state.floating.quat_w)
    # The shorter way round.
    away = torch.atan2(torch.sin(away), torch.cos(away))
    led = (stiffness * away).clamp(*yaw_rate_range)
    return torch.stack([x, y, torch.where(turns > 0.5, led, turn)], dim=1)


def _ranges(context: EventContext, first: Sequence[Range], widening: Widening) -> Sequence[Range]:
    """The ranges of x, y and turn at this point of the training."""
    ranges = first
    for step, *ends in widening:
        if context.training_step >= step:
            ranges = [(ends[0], ends[1]), (ends[2], ends[3]), (ends[4], ends[5])]
    return ranges


def _velocity(
    draws: Tensor, ranges: Sequence[Range], forward_share: float, forward_min: float, standing_share: float
) -> Tensor:
    """Five draws as a command. Shapes: (num_envs, 5 or more) -> (num_envs, 3)."""
    x, y, turn = (low + (high - low) * draws[:, k] for k, (low, high) in enumerate(ranges))
    drawn = torch.stack([x, y, turn], dim=1)
    zero = torch.zeros_like(x)
    ahead = torch.stack([x.abs().clamp(min=forward_min), zero, zero], dim=1)
    drawn = torch.where((draws[:, 3] < forward_share)[:, None], ahead, drawn)
    return drawn.masked_fill((draws[:, 4] < standing_share)[:, None], 0.0)
