"""The checkpoint file of rsl_rl: a file of arrays, those of the networks by their name and that of the tensor."""

from pathlib import Path

import torch

from genelab.learn.checkpoint import Checkpoint, Tensors, require_finite
from genelab.records.arrays import encode, read, whole
from genelab.runs.files import write_atomic

SCHEMA = "genelab/checkpoint/2"


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
    parts: dict[str, Tensors] = {"actor": {}, "critic": {}}
    with whole(path, "checkpoint"):
        for name, array in arrays.items():
            part, _, own = name.partition(".")
            parts[part][own] = torch.from_numpy(array).clone()
        return Checkpoint(told["config_sha256"], told["iteration"], told["layout"], parts["actor"], parts["critic"])
