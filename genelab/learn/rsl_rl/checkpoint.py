"""The checkpoint file of rsl_rl: tensors and plain data in torch's format."""

import json
from pathlib import Path

from genelab.errors import InputError
from genelab.learn.checkpoint import Checkpoint, Tensors, load_tensors, parse, require_finite, save_tensors

FORMAT = "genelab/checkpoint/1"
_GROUPS = ("policy", "critic")


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically. Equal checkpoints give equal bytes under any file name.

    Raises:
        DivergedError: if a tensor holds a non-finite value; nothing is written.
    """
    require_finite(path, checkpoint)
    save_tensors(
        path,
        {
            "format": FORMAT,
            "config_sha256": checkpoint.config_sha256,
            "iteration": checkpoint.iteration,
            "layout": json.dumps(checkpoint.layout),
            "actor": _on_cpu(checkpoint.actor),
            "critic": _on_cpu(checkpoint.critic),
        },
    )


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Never runs code from the file.

    Raises:
        InputError: as `genelab.learn.checkpoint.load`.
    """
    data = load_tensors(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"'{path}' is no genelab checkpoint: its format is not '{FORMAT}'")
    return parse(path, data, _GROUPS, "rsl_rl")  # pyright: ignore[reportUnknownArgumentType]


def _on_cpu(tensors: Tensors) -> Tensors:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
