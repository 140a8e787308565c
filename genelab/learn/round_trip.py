"""`round_trip.safetensors`: what the policy earned and saw at the end of training, before it left memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genelab.records.arrays import encode, read, whole
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


def read_round_trip(path: Path) -> RoundTripFile:
    """Read the file. Raises InputError as `genelab.records.arrays.read`, or if something is missing."""
    document, arrays = read(path, SCHEMA)
    with whole(path, "round trip"):
        returns = arrays.pop(_RETURNS)
        observations = {name.removeprefix(_GROUP): torch.from_numpy(rows).clone() for name, rows in arrays.items()}
        return RoundTripFile(document["weights_sha256"], tuple(returns.tolist()), observations)
