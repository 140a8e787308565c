"""Inverse kinematics."""

import functools

import torch
from torch import Tensor


def damped_least_squares(jacobian: Tensor, displacement: Tensor, damping: float) -> Tensor:
    """Joint displacement dq = J^T (J J^T + damping^2 1)^-1 dx (Wampler 1986, IEEE Trans. SMC 16(1), 93-101).

    Shapes: (num_envs, 6, joints), (num_envs, 6) -> (num_envs, joints).
    """
    # Sums of products in a fixed order, instead of a matrix product or torch's sum. Both may round otherwise for other
    # numbers of environments, torch's where these are not the outermost dimension in memory.
    square = _ordered_sum(jacobian[:, :, None, :] * jacobian[:, None, :, :], dim=-1)
    damped = square + damping**2 * torch.eye(6, device=jacobian.device)
    # Without the check of `solve`, for which a GPU would wait: damped, the matrix is never singular.
    weights, _ = torch.linalg.solve_ex(damped, displacement[:, :, None])
    return _ordered_sum(jacobian * weights, dim=1)


def _ordered_sum(values: Tensor, dim: int) -> Tensor:
    """Sum along a short dimension, from first to last."""
    return functools.reduce(torch.add, values.unbind(dim))
