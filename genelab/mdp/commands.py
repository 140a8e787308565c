"""Commands: what the policy is asked for, drawn when an episode starts. Each returns (num_envs, dim)."""

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from genelab.mdp.params import Range, Share
from genelab.mdp.state import EventContext
from genelab.mdp.term import XYZ, term


@term(XYZ, unit="m")
def box_or_ground(
    context: EventContext,
    center: tuple[float, float],
    half_width: NonNegativeFloat,
    ground: float,
    air: Range,
    air_share: Share,
) -> Tensor:
    """A command: a position above a square, in the air or on the ground, world frame, m.

    Args:
        center: x and y of the square's centre.
        half_width: half the length of its sides.
        ground: height of a goal on the ground.
        air: lowest and highest height of a goal in the air.
        air_share: share of the goals in the air.
    """
    draws = context.uniform(4)
    middle = torch.tensor(center, device=draws.device)
    plane = middle + half_width * (2.0 * draws[:, :2] - 1.0)
    above = air[0] + (air[1] - air[0]) * draws[:, 3]
    height = torch.where(draws[:, 2] < air_share, above, torch.full_like(above, ground))
    return torch.cat([plane, height[:, None]], dim=1)


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
