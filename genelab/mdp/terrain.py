"""Heights of the ground below points of the world."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class HeightMap:
    """A ground given by heights on a grid, exactly as bodies collide with it.

    Each square of the grid is cut along the diagonal from (i + 1, j) to (i, j + 1), and bodies touch the two triangles.
    A height is that of the triangle below the point. Interpolation between all four corners would be off by a quarter
    of a riser where a step turns a corner. Around the grid the ground goes on at the height of its edge.
    """

    heights: Tensor
    """Heights of the grid points, m; index i along x and j along y. Shape: (nx, ny), two or more each."""
    scale: float
    """Distance of two grid points, m."""
    corner: tuple[float, float]
    """World x and y of grid point (0, 0), m."""

    @classmethod
    def flat(cls, device: torch.device | str = "cpu") -> "HeightMap":
        """Ground at z = 0 everywhere."""
        return cls(torch.zeros(2, 2, device=device), 1.0, (0.0, 0.0))

    def beyond_edge(self, xy_w: Tensor) -> Tensor:
        """How far a point is outside the grid, m, the larger of both axes; negative inside.

        Shapes: (..., 2) world x and y in m -> (...,).
        """
        # By numbers and not by tensors of them, for which a GPU would have to wait.
        low, extent = self.corner, [(count - 1) * self.scale for count in self.heights.shape]
        beyond = [(xy_w[..., k] - (low[k] + 0.5 * extent[k])).abs() - 0.5 * extent[k] for k in (0, 1)]
        return torch.maximum(*beyond)

    def height_at(self, xy_w: Tensor) -> Tensor:
        """Height of the ground, m, NaN where a coordinate is NaN. Shapes: (..., 2) world x and y in m -> (...,)."""
        last_i, last_j = self.heights.shape[0] - 1, self.heights.shape[1] - 1
        x = ((xy_w[..., 0] - self.corner[0]) / self.scale).clamp(0.0, last_i)
        y = ((xy_w[..., 1] - self.corner[1]) / self.scale).clamp(0.0, last_j)
        # Clamped as integers too, for a NaN passes the clamp above and must not become an index.
        i = x.floor().to(torch.int64).clamp(0, last_i - 1)
        j = y.floor().to(torch.int64).clamp(0, last_j - 1)
        x, y = x - i, y - j
        # Both triangles have the ends of the diagonal; the third corner is the near or the far one.
        near = x + y <= 1.0
        far = (~near).to(torch.int64)
        third = self.heights[i + far, j + far]
        along_x, along_y = torch.where(near, x, 1.0 - y), torch.where(near, y, 1.0 - x)
        return third + along_x * (self.heights[i + 1, j] - third) + along_y * (self.heights[i, j + 1] - third)
