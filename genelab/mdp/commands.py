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
    # By numbers, not by a tensor of them, for which a GPU would have to wait.
    x, y = (middle + half_width * (2.0 * draws[:, k] - 1.0) for k, middle in enumerate(center))
    above = air[0] + (air[1] - air[0]) * draws[:, 3]
    height = torch.where(draws[:, 2] < air_share, above, torch.full_like(above, ground))
    return torch.stack([x, y, height], dim=1)
