"""The ground as terms see it: replaced by the terrain branch."""

import torch
from torch import Tensor


class HeightMap:
    """Flat."""

    def height_at(self, xy_w: Tensor) -> Tensor:
        """Zero. Shapes: (..., 2) -> (...,)."""
        return torch.zeros_like(xy_w[..., 0])
