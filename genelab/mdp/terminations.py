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
