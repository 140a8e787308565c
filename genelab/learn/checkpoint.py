"""Checkpoints: one file with weights, normaliser, observation layout and the hash of the config they belong to.

Each trainer writes a file of its own; this is what they share.
"""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genelab.config.snapshot import one_line
from genelab.errors import DivergedError, InputError
from genelab.records.files import MAX_LINE, parse_json
from genelab.runs.files import atomic_path
from genelab.runs.run_dir import RunDir

ZIP_MEMBER = "genelab.json"
"""Member that tells a checkpoint of Stable-Baselines3 from one of rsl_rl: both are zip files."""

_FIELDS = {"config_sha256": str, "iteration": int, "layout": str, "actor": dict, "critic": dict}

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds. Tensors lie on the CPU."""

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
    def weights_sha256(self) -> str:
        """Digest over all tensors, whatever the file is called."""
        return weights_sha256(
            {f"{part}.{n}": t for part in ("actor", "critic") for n, t in getattr(self, part).items()}
        )


def weights_sha256(tensors: Tensors) -> str:
    """SHA-256 over sorted (name, dtype, shape, bytes)."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def weights_sha256_of_file(path: Path) -> str:
    """The weights digest of a checkpoint file. Raises InputError as `load`."""
    return load(path).weights_sha256


def load(path: Path) -> Checkpoint:
    """Read a checkpoint of any trainer. Never runs code from the file.

    Raises:
        InputError: if the file is missing, torn, holds anything but tensors and plain data, is no checkpoint of this
            format, or holds non-finite weights.
    """
    if _has_member(path, ZIP_MEMBER):
        from genelab.learn.sb3 import checkpoint as sb3

        return sb3.load(path)
    from genelab.learn.rsl_rl import checkpoint as rsl_rl

    return rsl_rl.load(path)


def parse(path: Path, data: dict[str, Any], groups: Sequence[str], trainer: str) -> Checkpoint:
    """The checkpoint that the data in a file describe.

    Args:
        path: names the file in errors.
        data: `config_sha256`, `iteration`, `layout` as JSON text, and the tensors `actor` and `critic` by name.
        groups: observation groups that the layout has at least.
        trainer: library that the weights belong to.

    Raises:
        InputError: if something is missing or of another kind, or the weights are not finite.
    """
    for name, kind in _FIELDS.items():
        if not isinstance(data.get(name), kind):
            raise InputError(f"'{path}' is no genelab checkpoint: its {name} is no {kind.__name__}")
    for part in ("actor", "critic"):
        if not all(_is_name(n) and isinstance(t, Tensor) for n, t in data[part].items()):
            raise InputError(f"'{path}' is no genelab checkpoint: its {part} holds other things than tensors")
        if strange := next((n for n, t in data[part].items() if not is_plain(t)), None):
            raise InputError(f"'{path}' is no genelab checkpoint: its {part} tensor {strange!a} is not as it was saved")
    if not re.fullmatch("[0-9a-f]{64}", data["config_sha256"]) or type(data["iteration"]) is not int:
        raise InputError(f"'{path}' is no genelab checkpoint: its config_sha256 or its iteration is none")
    if data["iteration"] < 0:
        raise InputError(f"'{path}' is no genelab checkpoint: its iteration is negative")
    try:
        layout = parse_json(data["layout"])
        widths = {group: layout[group][-1]["stop"] for group in groups}
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(f"'{path}' is no genelab checkpoint: its layout is broken ({reason})") from error
    if not all(type(width) is int and width > 0 for width in widths.values()):
        raise InputError(f"'{path}' is no genelab checkpoint: its layout has widths {one_line(repr(widths), MAX_LINE)}")
    checkpoint = Checkpoint(
        config_sha256=data["config_sha256"],
        iteration=data["iteration"],
        layout=layout,
        actor=data["actor"],
        critic=data["critic"],
        trainer=trainer,
    )
    for part in ("actor", "critic"):
        bad = non_finite(getattr(checkpoint, part))
        if bad:
            raise InputError(f"'{path}': {part} tensor '{bad}' holds non-finite values")
    return checkpoint


def require_finite(path: Path, checkpoint: Checkpoint) -> None:
    """Check what is about to be saved.

    Raises:
        DivergedError: if a tensor holds a non-finite value; names it.
    """
    for part in ("actor", "critic"):
        bad = non_finite(getattr(checkpoint, part))
        if bad:
            raise DivergedError(f"refusing to save '{path.name}': {part} tensor '{bad}' holds non-finite values")


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


def save_tensors(path: Path, data: dict[str, Any]) -> None:
    """Write tensors and plain data atomically."""
    # To an open file: torch puts a path's name inside the archive, and equal data would differ in bytes.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(data, file)
        except RuntimeError as error:
            # On a full disk torch still closes its archive, and what fails then hides why.
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


def load_tensors(path: Path) -> Any:
    """Read tensors and plain data, refusing anything that would need code to load.

    Raises:
        InputError: if the file is missing, torn or holds code.
    """
    if not path.is_file():
        raise InputError(f"checkpoint '{path}' does not exist")
    with damage_told(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise InputError(f"checkpoint '{path}' is damaged: its member '{damaged}' fails its checksum")
        return torch.load(path, map_location="cpu", weights_only=True)


@contextmanager
def damage_told(path: Path) -> Generator[None]:
    """Tell whatever reading a file raises as InputError: that it holds code, or is torn."""
    try:
        yield
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(f"checkpoint '{path}' holds code, not only tensors, and was not loaded") from error
    except Exception as error:  # damaged data makes zip, pickle and torch raise nearly anything
        raise InputError(f"checkpoint '{path}' is torn or no checkpoint: {first_line(error)}") from error


def non_finite(tensors: Tensors) -> str | None:
    """Name of the first tensor with a NaN or infinity, or None."""
    return next((n for n, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())), None)


def _has_member(path: Path, name: str) -> bool:
    """Whether a file is a zip file with a member of that name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return name in archive.namelist()
    except Exception:  # noqa: BLE001 missing, or damaged, which makes zipfile raise nearly anything: the loader tells it
        return False


def _is_name(name: object) -> bool:
    # Not empty: what finds a bad tensor returns its name.
    return isinstance(name, str) and name != "" and name.isprintable()


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is stored as `save` stores it. A view may claim more elements than any memory holds."""
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    return plain and tensor.is_contiguous() and not tensor.is_complex()


def first_line(error: Exception) -> str:
    """What an error says, in one line, or its kind."""
    return one_line(str(error).partition("\n")[0], MAX_LINE) or type(error).__name__
