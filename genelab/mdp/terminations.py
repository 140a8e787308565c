"""Termination terms. Each returns (num_envs,) bool."""

import math

from pydantic import NonNegativeFloat
from torch import Tensor

from genelab.mdp.params import Joints, Links, Object
from genelab.mdp.state import StateView


def joint_abs_above(state: StateView, joints: Joints, limit: NonNegativeFloat) -> Tensor:
    """Whether any of the joints is further than `limit` from zero, m or rad."""
    return (state.joint_pos_of(joints).abs() > limit).any(dim=1)


def object_below(state: StateView, object: Object, height: float) -> Tensor:  # noqa: A002 the name in configs
    """Whether an object's centre is below a height in the world frame, m."""
    return state.object_pos_w[:, state.names.object_id(object), 2] < height


def tilt_above(state: StateView, limit: float) -> Tensor:
    """Whether a floating base is tilted from upright by more than `limit`, rad."""
    return state.floating.gravity_b[:, 2] > -math.cos(limit)


def touching(state: StateView, links: Links, force: NonNegativeFloat) -> Tensor:
    """Whether the net contact force on any of the links is above `force`, N."""
    columns = state.names.link_columns(links, state.joint_pos.device)
    return (state.floating.contact_force_w.index_select(1, columns).norm(dim=2) > force).any(dim=1)


def off_the_terrain(state: StateView, margin: NonNegativeFloat) -> Tensor:
    """Whether a floating base is less than `margin`, m, from the edge of the height field, or beyond it."""
    return state.terrain.beyond_edge(state.floating.pos_w[:, :2]) > -margin
