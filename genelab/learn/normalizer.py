"""Observation normalisation by known bounds."""

from typing import Any

import torch
from torch import Tensor, nn


class FixedNormalizer(nn.Module):
    """Maps the bounds of every observation to -1 and 1. Has no weights: the layout holds the bounds."""

    offset: Tensor
    factor: Tensor

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        """Take the bounds, given in the unit of the value, over to the scaled observation.

        Args:
            rows: layout of one observation group; every row has bounds.
        """
        super().__init__()
        scaled = [[row["scale"] * low, row["scale"] * high] for row in rows for low, high in row["bounds"]]
        low, high = torch.tensor(scaled, dtype=torch.float64).T
        # Not part of the state: a second copy of the bounds could drift from the layout in the same file.
        self.register_buffer("offset", ((high + low) / 2.0).float().unsqueeze(0), persistent=False)
        self.register_buffer("factor", (2.0 / (high - low)).float().unsqueeze(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (rows, obs_dim) -> (rows, obs_dim)."""
        return (x - self.offset) * self.factor
