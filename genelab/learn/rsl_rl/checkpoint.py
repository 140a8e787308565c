"""The checkpoint file of rsl_rl: a file of arrays, those of the networks by their name and that of the tensor."""

from pathlib import Path

import torch

from genelab.errors import InputError
from genelab.learn.checkpoint import Checkpoint, Tensors, parse, require_finite
from genelab.records.arrays import encode, read
from genelab.runs.files import write_atomic

SCHEMA = "genelab/checkpoint/2"
_GROUPS = ("policy", "critic")


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically. Equal checkpoints give equal bytes under any file name.

    Raises:
        DivergedError: if a tensor holds a non-finite value; nothing is written.
    """
    require_finite(path, checkpoint)
    write_atomic(path, encode(SCHEMA, checkpoint.header, checkpoint.arrays))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: as `genelab.learn.checkpoint.load`.
    """
    told, arrays = read(path, SCHEMA)
    told.pop("schema")
    parts: dict[str, Tensors] = {"actor": {}, "critic": {}}
    for name, array in arrays.items():
        part, _, own = name.partition(".")
        if part not in parts:
            raise InputError(f"'{path}' is no checkpoint: its tensor {name!a} belongs to no network")
        parts[part][own] = torch.from_numpy(array).clone()
    return parse(path, told, parts["actor"], parts["critic"], _GROUPS, "rsl_rl")
