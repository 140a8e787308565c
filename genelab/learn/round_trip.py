"""`round_trip.safetensors`: what the policy earned and saw at the end of training, before it left memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genelab.config.task import ProtocolCfg
from genelab.errors import InputError
from genelab.records.arrays import encode, read
from genelab.runs.files import write_atomic

SCHEMA = "genelab/round-trip/2"
RECORDED_ROWS = 1024
"""Observations kept for the parity check of an export."""
_RETURNS, _GROUP = "returns", "observations/"


@dataclass(frozen=True)
class RoundTripFile:
    """What the file holds."""

    weights_sha256: str
    """Digest of the weights that earned it."""
    returns: tuple[float, ...]
    """Returns of episodes 0, 1, ... of the task's protocol."""
    observations: dict[str, Tensor]
    """What the policy read first, by group. Shape of each: (at most RECORDED_ROWS, dim), float32 on the CPU."""


def write_round_trip(path: Path, weights: str, returns: Sequence[float], observations: Mapping[str, Tensor]) -> None:
    """Write the file atomically. The arguments are the fields of `RoundTripFile`."""
    arrays = {f"{_GROUP}{group}": rows.numpy() for group, rows in observations.items()}
    document = {"weights_sha256": weights}
    write_atomic(path, encode(SCHEMA, document, {_RETURNS: np.array(returns, np.float64), **arrays}))


def read_round_trip(path: Path, protocol: ProtocolCfg) -> RoundTripFile:
    """Read the file.

    Args:
        path: the file.
        protocol: the task's own, under which the returns were earned.

    Raises:
        InputError: as `genelab.records.arrays.read`, or if it does not hold what training writes; names the rule.
    """
    document, arrays = read(path, SCHEMA)
    weights = document.get("weights_sha256")
    if not isinstance(weights, str):
        raise InputError(f"'{path}': weights_sha256 must be a digest")
    returns, longest = arrays.pop(_RETURNS, None), min(protocol.episodes, protocol.round_trip_episodes)
    if returns is None or returns.dtype != np.float64 or returns.ndim != 1 or not 1 <= len(returns) <= longest:
        raise InputError(f"'{path}': returns must be 1 to {longest} numbers of float64")
    for name, rows in arrays.items():
        if rows.dtype != np.float32 or rows.ndim != 2 or not 1 <= len(rows) <= RECORDED_ROWS:
            told = f"{rows.dtype} of shape {rows.shape}, must be float32 with 1 to {RECORDED_ROWS} rows"
            raise InputError(f"'{path}': {name!a} is {told}")
    for name, numbers in ((_RETURNS, returns), *arrays.items()):
        if not np.isfinite(numbers).all():
            raise InputError(f"'{path}': {name!a} must be finite")
    observations = {name.removeprefix(_GROUP): torch.from_numpy(rows).clone() for name, rows in arrays.items()}
    return RoundTripFile(weights, tuple(returns.tolist()), observations)


def recorded_observations(path: Path, protocol: ProtocolCfg, widths: Mapping[str, int]) -> tuple[Tensor, ...]:
    """The observations of some groups.

    Args:
        path: the file.
        protocol: as in `read_round_trip`.
        widths: expected width of each group.

    Returns:
        In the order of `widths`. Shape of each: (rows, width).

    Raises:
        InputError: as `read_round_trip`, or if a group is missing or has another width.
    """
    found = read_round_trip(path, protocol).observations
    for group, width in widths.items():
        if group not in found or found[group].shape[1] != width:
            raise InputError(f"'{path}' holds no observations of width {width} of group '{group}'")
    return tuple(found[group] for group in widths)
