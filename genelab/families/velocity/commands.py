"""The command of velocity tasks."""

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from genelab.mdp.params import Range, Share
from genelab.mdp.state import EventContext
from genelab.mdp.term import term


@term(("x", "y", "turn"), unit="m/s, m/s and rad/s", mirror=(1.0, -1.0, -1.0))
def velocity(
    context: EventContext,
    x_range: Range,
    y_range: Range,
    yaw_rate_range: Range,
    forward_share: Share,
    forward_min: NonNegativeFloat,
    standing_share: Share,
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
    """
    draws = context.uniform(5)
    ranges = (x_range, y_range, yaw_rate_range)
    x, y, turn = (low + (high - low) * draws[:, k] for k, (low, high) in enumerate(ranges))
    drawn = torch.stack([x, y, turn], dim=1)
    zero = torch.zeros_like(x)
    ahead = torch.stack([x.abs().clamp(min=forward_min), zero, zero], dim=1)
    drawn = torch.where((draws[:, 3] < forward_share)[:, None], ahead, drawn)
    return drawn.masked_fill((draws[:, 4] < standing_share)[:, None], 0.0)
