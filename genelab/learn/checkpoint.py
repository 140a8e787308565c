"""Checkpoints: one file with weights, normaliser, observation layout and the hash of the config they belong to.

Each trainer writes a file of its own; this is what they share.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from genelab.errors import DivergedError, InputError
from genelab.records.arrays import Arrays, arrays_sha256
from genelab.records.files import sha256_file
from genelab.records.run import TrainedCheckpoint
from genelab.runs.run_dir import RunDir

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds. Tensors of a file lie on the CPU."""

    config_sha256: str
    """Digest of the task snapshot that the weights belong to."""
    iteration: int
    """Learning iterations behind the weights."""
    layout: dict[str, Any]
    """Observation layout by group, as the environment told it."""
    actor: Tensors
    """Policy network, its normaliser included."""
    critic: Tensors
    """Value networks, their normalisers included."""
    trainer: str = "rsl_rl"
    """Library that the weights belong to, `agent.trainer`."""

    @property
    def arrays(self) -> Arrays:
        """All tensors on the CPU, named `actor.NAME` and `critic.NAME`."""
        parts = {"actor": self.actor, "critic": self.critic}
        return {f"{part}.{n}": t.detach().cpu().numpy() for part, tensors in parts.items() for n, t in tensors.items()}

    @property
    def weights_sha256(self) -> str:
        """Digest over all tensors, whatever the file is called."""
        return arrays_sha256(self.arrays)

    @property
    def header(self) -> dict[str, Any]:
        """What a file says beside the tensors."""
        return {"config_sha256": self.config_sha256, "iteration": self.iteration, "layout": self.layout}


def weights_sha256_of_file(path: Path) -> str:
    """The weights digest of a checkpoint file. Raises InputError as `load`."""
    return load(path).weights_sha256


def load(path: Path) -> Checkpoint:
    """Read a checkpoint of any trainer. Never runs code from the file.

    Raises:
        InputError: if the file is missing, torn, damaged, no checkpoint, or of an earlier version of genelab.
    """
    if zipfile.is_zipfile(path):
        from genelab.learn.sb3 import checkpoint as sb3

        return sb3.load(path)
    from genelab.learn.rsl_rl import checkpoint as rsl_rl

    return rsl_rl.load(path)


def require_finite(path: Path, checkpoint: Checkpoint) -> None:
    """Check what is about to be saved.

    Raises:
        DivergedError: if a tensor holds a non-finite value; names it.
    """
    for part in ("actor", "critic"):
        bad = non_finite(getattr(checkpoint, part))
        if bad:
            raise DivergedError(f"refusing to save '{path.name}': {part} tensor '{bad}' holds non-finite values")


def claim_of(path: Path, checkpoint: Checkpoint) -> TrainedCheckpoint:
    """What a record says about a checkpoint file, which lies in the directory of its run."""
    return TrainedCheckpoint(
        path=path.name,
        sha256=sha256_file(path),
        bytes=path.stat().st_size,
        weights_sha256=checkpoint.weights_sha256,
        iteration=checkpoint.iteration,
    )


def load_of_run(path: Path, run_dir: RunDir) -> Checkpoint:
    """Read a checkpoint of `run_dir`.

    Raises:
        InputError: as `load`, if the checkpoint is of another trainer or belongs to another config than the run, or if
            it claims to be the run's last and has other weights: all seeds share their config.
    """
    loaded, run = load(path), run_dir.load()
    if loaded.trainer != run_dir.trainer:
        raise InputError(
            f"checkpoint '{path}' was trained with {loaded.trainer}, the run in '{run_dir.path}' with {run_dir.trainer}"
        )
    expected, last = run.config_sha256, run.checkpoint
    if loaded.config_sha256 != expected:
        raise InputError(
            f"checkpoint '{path}' belongs to config {loaded.config_sha256[:12]}, '{run_dir.path}' holds {expected[:12]}"
        )
    if last and loaded.iteration == last.iteration and loaded.weights_sha256 != last.weights_sha256:
        raise InputError(
            f"checkpoint '{path}' has weights {loaded.weights_sha256[:12]}, seed {run.seed} in '{run_dir.path}' ended "
            f"with {last.weights_sha256[:12]}"
        )
    return loaded


def non_finite(tensors: Tensors) -> str | None:
    """Name of the first tensor with a NaN or infinity, or None."""
    return next((n for n, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())), None)
