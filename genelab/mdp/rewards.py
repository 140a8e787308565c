"""Reward terms. Each returns (num_envs,), unweighted."""

import itertools

import torch
from torch import Tensor

from genelab.mdp.params import Joint, Joints
from genelab.mdp.state import StateView


def alive(state: StateView) -> Tensor:
    """One in every step."""
    return torch.ones_like(state.joint_pos[:, 0])


def joint_cos(state: StateView, joints: Joints) -> Tensor:
    """Mean over joints of the cosine of the joint's own angle, which is relative to its parent."""
    return torch.cos(state.joint_pos_of(joints)).mean(dim=1)


def chain_cos(state: StateView, joints: Joints) -> Tensor:
    """Mean over a planar chain of the cosine of each link's absolute tilt, the sum of the angles up to it."""
    # Not cumsum: on a GPU it has no deterministic implementation.
    tilts = itertools.accumulate(state.joint_pos_of(joints).unbind(dim=1))
    return torch.cos(torch.stack(list(tilts), dim=1)).mean(dim=1)


def joint_square(state: StateView, joints: Joints) -> Tensor:
    """Sum of squared joint positions, m^2 or rad^2."""
    return state.joint_pos_of(joints).square().sum(dim=1)


def joint_vel_square(state: StateView, joints: Joints) -> Tensor:
    """Sum of squared joint velocities, (m/s)^2 or (rad/s)^2."""
    return state.joint_vel_of(joints).square().sum(dim=1)


def joint_difference_square(state: StateView, joint_a: Joint, joint_b: Joint) -> Tensor:
    """Squared difference of two raw joint positions, rad^2."""
    a, b = state.joint_pos_of([joint_a, joint_b]).unbind(dim=1)
    return (b - a).square()


def action_rate(state: StateView) -> Tensor:
    """Sum of squared changes of the raw action since the step before."""
    return (state.action - state.previous_action).square().sum(dim=1)
