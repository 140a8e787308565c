"""Termination terms. Each returns (num_envs,) bool."""

import math
from collections.abc import Sequence

from torch import Tensor

from genelab.mdp.state import StateView


def joint_abs_above(state: StateView, joints: Sequence[str], limit: float) -> Tensor:
    """Whether any of the joints is further than `limit` from zero, m or rad."""
    return (state.joint_pos_of(joints).abs() > limit).any(dim=1)


def object_below(state: StateView, object: str, height: float) -> Tensor:  # noqa: A002 the name in configs
    """Whether an object's centre is below a height in the world frame, m."""
    return state.object_pos_w[:, state.names.object_id(object), 2] < height


def tilt_above(state: StateView, limit: float) -> Tensor:
    """Whether a floating base is tilted from upright by more than `limit`, rad."""
    return state.floating.gravity_b[:, 2] > -math.cos(limit)


def touching(state: StateView, links: Sequence[str], force: float) -> Tensor:
    """Whether the net contact force on any of the links is above `force`, N."""
    columns = state.names.link_columns(links, state.joint_pos.device)
    return (state.floating.contact_force_w.index_select(1, columns).norm(dim=2) > force).any(dim=1)


def off_the_terrain(state: StateView, margin: float) -> Tensor:
    """Whether a floating base is less than `margin`, m, from the edge of the height field, or beyond it."""
    return state.terrain.beyond_edge(state.floating.pos_w[:, :2]) > -margin
