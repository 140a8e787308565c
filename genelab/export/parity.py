"""Measures whether an exported policy acts as the native one."""

from collections.abc import Callable

import torch
from torch import Tensor

from genelab.errors import RunError
from genelab.records.export import Parity

Runner = Callable[[Tensor], Tensor]
"""A policy. Shapes: (rows, obs_dim) -> (rows, num_actions), float32 on the CPU."""

TOLERANCE = 1e-5
"""Largest difference of an action, in units of the largest action if that is above 1: float32 sums in other orders."""
RANDOM_ROWS = 64
SPREAD = 3.0
"""Standard deviation of the random rows in units of the recorded ones'."""
BATCH_SIZES = (1, 7)
"""Besides all rows at once."""


def measure(native: Runner, exported: Runner, recorded: Tensor) -> Parity:
    """Compare two policies on recorded observations and on random ones around them. recorded: (rows, obs_dim).

    Raises:
        RunError: if an action is not finite, or the shapes differ.
    """
    rows = torch.cat([recorded, _random_rows(recorded)])
    wanted = native(rows)
    sizes = (*BATCH_SIZES, len(rows))
    worst = torch.stack([_largest_difference(wanted, exported, rows, size) for size in sizes]).max()
    largest = wanted[: len(recorded)].abs().max()
    if not bool(torch.isfinite(worst + largest)):
        raise RunError("parity: an action on the recorded observations, or around them, is not finite")
    tolerance = TOLERANCE * max(1.0, float(largest))
    return Parity(
        recorded_rows=len(recorded),
        random_rows=RANDOM_ROWS,
        batch_sizes=sizes,
        largest_action=float(largest),
        max_abs_difference=float(worst),
        tolerance=tolerance,
        passed=float(worst) <= tolerance,
    )


def _random_rows(recorded: Tensor) -> Tensor:
    """Normal draws around the recorded rows, the same every time. Shape: (RANDOM_ROWS, obs_dim)."""
    draws = torch.randn(RANDOM_ROWS, recorded.shape[1], generator=torch.Generator().manual_seed(0))
    return recorded.mean(dim=0) + SPREAD * recorded.std(dim=0, correction=0) * draws


def _largest_difference(wanted: Tensor, exported: Runner, rows: Tensor, size: int) -> Tensor:
    found = torch.cat([exported(piece) for piece in rows.split(size)])
    if found.shape != wanted.shape:
        raise RunError(f"parity: actions of shape {tuple(found.shape)}, the policy gives {tuple(wanted.shape)}")
    return (found.double() - wanted.double()).abs().max()
