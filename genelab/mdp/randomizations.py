"""Randomisations: properties of the robot, drawn anew. Each returns a `ModelWrite` for all environments."""

from collections.abc import Sequence

import torch
from torch import Tensor

from genelab.mdp.state import EventContext, ModelWrite


def link_friction(context: EventContext, links: Sequence[str], friction_range: tuple[float, float]) -> ModelWrite:
    """One uniform friction for all of the links of an environment.

    A contact takes the larger friction of the two that touch, so the range must not begin below that of the ground.
    """
    friction = _uniform(context, friction_range, 1)[:, 0]
    return ModelWrite(link_friction=dict.fromkeys(links, friction))


def link_mass(context: EventContext, link: str, mass_range: tuple[float, float]) -> ModelWrite:
    """A uniform mass added to a link, kg. Its inertia stays, as that of a load in its centre of mass."""
    return ModelWrite(link_mass_offset={link: _uniform(context, mass_range, 1)[:, 0]})


def link_com(context: EventContext, link: str, shift_range: tuple[float, float]) -> ModelWrite:
    """A uniform shift of a link's centre of mass along each axis of its frame, m."""
    return ModelWrite(link_com_offset={link: _uniform(context, shift_range, 3)})


def gains(context: EventContext, factor_range: tuple[float, float]) -> ModelWrite:
    """A uniform factor on each gain of each joint."""
    joints = len(context.state.names.joints)
    factors = _uniform(context, factor_range, 2 * joints)
    return ModelWrite(kp_factor=factors[:, :joints], kv_factor=factors[:, joints:])


def encoder_bias(context: EventContext, bias_range: tuple[float, float]) -> ModelWrite:
    """A uniform error of each joint's encoder, rad, which the position targets inherit."""
    return ModelWrite(encoder_bias=_uniform(context, bias_range, len(context.state.names.joints)))


def _uniform(context: EventContext, bounds: tuple[float, float], dim: int) -> Tensor:
    low, high = bounds
    draws = context.uniform(dim)
    return torch.add(draws * (high - low), low)
