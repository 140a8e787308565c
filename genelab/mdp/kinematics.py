"""Inverse kinematics."""

import torch
from torch import Tensor


def damped_least_squares(jacobian: Tensor, displacement: Tensor, damping: float) -> Tensor:
    """Joint displacement dq = J^T (J J^T + damping^2 1)^-1 dx (Wampler 1986, IEEE Trans. SMC 16(1), 93-101).

    Shapes: (num_envs, 6, joints), (num_envs, 6) -> (num_envs, joints).
    """
    # Sums of products instead of a matrix product, which may round differently for other numbers of environments.
    square = (jacobian[:, :, None, :] * jacobian[:, None, :, :]).sum(dim=-1)
    damped = square + damping**2 * torch.eye(6, device=jacobian.device)
    # Without the check of `solve`, for which a GPU would wait: damped, the matrix is never singular.
    weights, _ = torch.linalg.solve_ex(damped, displacement[:, :, None])
    return (jacobian * weights).sum(dim=1)
