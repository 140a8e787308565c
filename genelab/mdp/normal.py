"""Normal draws from uniform ones."""

import torch
from torch import Tensor


def standard_normal(draws: Tensor) -> Tensor:
    """Standard normal numbers by the Box-Muller transform.

    Shapes: (rows, 2 n) uniform in [0, 1) -> (rows, n).
    """
    half = draws.shape[1] // 2
    wide = draws.to(torch.float64)
    radius = torch.sqrt(-2.0 * torch.log1p(-wide[:, :half]))
    return (radius * torch.cos(2.0 * torch.pi * wide[:, half:])).to(torch.float32)
