"""Randomisations: properties of the robot, drawn anew. Each returns a `ModelWrite` for all environments."""

from typing import Annotated

import torch
from pydantic import AfterValidator, ValidationInfo
from torch import Tensor

from genelab.mdp.params import Link, Links, Range, environment
from genelab.mdp.state import EventContext, ModelWrite

FRICTIONS = (1e-2, 5.0)
"""Lowest and highest friction that Genesis 1.4 takes."""


def _takes_effect(friction: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
    if friction[0] < FRICTIONS[0] or friction[1] > FRICTIONS[1]:
        raise ValueError(f"must lie within {FRICTIONS[0]:g} to {FRICTIONS[1]:g}, the simulator's limits")
    ground = environment(info).ground
    if ground is not None and friction[0] < ground.friction:
        rule = f"must not begin below the ground's friction {ground.friction:g}: a contact takes the larger"
        raise ValueError(rule)
    return friction


def _above_zero(factors: tuple[float, float]) -> tuple[float, float]:
    if factors[0] <= 0.0:
        raise ValueError("must begin above 0")
    return factors


def link_friction(
    context: EventContext, links: Links, friction_range: Annotated[Range, AfterValidator(_takes_effect)]
) -> ModelWrite:
    """One uniform friction for all of the links of an environment.

    A contact takes the larger friction of the two that touch, so the range must not begin below that of the ground.
    """
    friction = _uniform(context, friction_range, 1)[:, 0]
    return ModelWrite(link_friction=dict.fromkeys(links, friction))


def link_mass(context: EventContext, link: Link, mass_range: Range) -> ModelWrite:
    """A uniform mass added to a link, kg. Its inertia stays, as that of a load in its centre of mass."""
    return ModelWrite(link_mass_offset={link: _uniform(context, mass_range, 1)[:, 0]})


def link_com(context: EventContext, link: Link, shift_range: Range, up_range: Range | None = None) -> ModelWrite:
    """A uniform shift of a link's centre of mass along each axis of its frame, m; `up_range` along z, if it differs."""
    draws = context.uniform(3)
    ranges = (shift_range, shift_range, up_range or shift_range)
    shifts = [torch.add(draws[:, k] * (high - low), low) for k, (low, high) in enumerate(ranges)]
    return ModelWrite(link_com_offset={link: torch.stack(shifts, dim=1)})


def gains(context: EventContext, factor_range: Annotated[Range, AfterValidator(_above_zero)]) -> ModelWrite:
    """A uniform factor on each gain of each joint."""
    joints = len(context.state.names.joints)
    factors = _uniform(context, factor_range, 2 * joints)
    return ModelWrite(kp_factor=factors[:, :joints], kv_factor=factors[:, joints:])


def encoder_bias(context: EventContext, bias_range: Range) -> ModelWrite:
    """A uniform error of each joint's encoder, rad, which the position targets inherit."""
    return ModelWrite(encoder_bias=_uniform(context, bias_range, len(context.state.names.joints)))


def _uniform(context: EventContext, bounds: tuple[float, float], dim: int) -> Tensor:
    low, high = bounds
    draws = context.uniform(dim)
    return torch.add(draws * (high - low), low)
