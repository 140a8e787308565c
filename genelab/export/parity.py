"""Measures whether an exported policy acts as the native one."""

from collections.abc import Callable

import torch
from torch import Tensor

from genelab.errors import RunError
from genelab.records.contract import tolerance_of
from genelab.records.export import Parity

Runner = Callable[..., Tensor]
"""A policy. Shapes: (rows, dim) of each input -> (rows, num_actions), float32 on the CPU."""
Inputs = tuple[Tensor, ...]
"""A tensor for each input. Shape of each: (rows, dim)."""

RANDOM_ROWS = 64
SPREAD = 3.0
"""Standard deviation of the random rows in units of the recorded ones'."""
BATCH_SIZES = (1, 7)
"""Besides all rows at once."""


def measure(native: Runner, exported: Runner, recorded: Inputs) -> Parity:
    """Compare two policies on recorded observations and on random ones around them.

    Raises:
        RunError: if an action is not finite, or the shapes differ.
    """
    inputs = tuple(torch.cat(pair) for pair in zip(recorded, _random_rows(recorded), strict=True))
    wanted = native(*inputs)
    sizes = (*BATCH_SIZES, len(wanted))
    worst = torch.stack([_largest_difference(wanted, exported, inputs, size) for size in sizes]).max()
    largest = wanted[: len(recorded[0])].abs().max()
    if not bool(torch.isfinite(worst + largest)):
        raise RunError("parity: an action on the recorded observations, or around them, is not finite")
    tolerance = tolerance_of(float(largest))
    return Parity(
        recorded_rows=len(recorded[0]),
        random_rows=RANDOM_ROWS,
        batch_sizes=sizes,
        largest_action=float(largest),
        max_abs_difference=float(worst),
        tolerance=tolerance,
        passed=float(worst) <= tolerance,
    )


def _random_rows(recorded: Inputs) -> Inputs:
    """Normal draws around the recorded rows, the same every time. Shape of each: (RANDOM_ROWS, dim)."""
    generator = torch.Generator().manual_seed(0)
    return tuple(
        rows.mean(dim=0)
        + SPREAD * rows.std(dim=0, correction=0) * torch.randn(RANDOM_ROWS, rows.shape[1], generator=generator)
        for rows in recorded
    )


def _largest_difference(wanted: Tensor, exported: Runner, inputs: Inputs, size: int) -> Tensor:
    pieces = zip(*(rows.split(size) for rows in inputs), strict=True)
    found = torch.cat([exported(*piece) for piece in pieces])
    if found.shape != wanted.shape:
        raise RunError(f"parity: actions of shape {tuple(found.shape)}, the policy gives {tuple(wanted.shape)}")
    return (found.double() - wanted.double()).abs().max()
