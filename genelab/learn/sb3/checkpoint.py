"""Checkpoints as `model.zip`: the native file of Stable-Baselines3, with a member that says what it belongs to."""

import io
import json
import pickle
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from genelab.config.snapshot import one_line
from genelab.errors import InputError
from genelab.learn.checkpoint import Checkpoint, Tensors, require_finite
from genelab.learn.policy import Layout
from genelab.records.files import MAX_LINE
from genelab.runs.files import write_atomic

FORMAT = "genelab/sb3-checkpoint/1"
TRAINER = "stable_baselines3"
MEMBER = "genelab.json"
"""The member that genelab adds."""
WEIGHTS = "policy.pth"
LARGEST = 2**30
"""Most bytes that are unpacked. A zip may claim to unpack to more than any memory holds."""
_DATE = (1980, 1, 1, 0, 0, 0)
_ACTOR, _CRITICS = "actor.", ("critic.", "critic_target.")
_PPO_ACTOR = (
    *("features_extractor.", "pi_features_extractor.", "vf_features_extractor."),
    *("mlp_extractor.policy_net.", "action_net.", "log_std"),
)
_PPO_CRITIC = ("mlp_extractor.value_net.", "value_net.")


def checkpoint_of(model: BaseAlgorithm, config_sha256: str, iteration: int, layout: Layout) -> Checkpoint:
    """The policy as it stands. Its tensors share memory with the model where that is on the CPU."""
    actor, critic = _parts({name: tensor.cpu() for name, tensor in model.policy.state_dict().items()})
    return Checkpoint(config_sha256, iteration, layout, actor, critic, TRAINER)


def save(path: Path, model: BaseAlgorithm, checkpoint: Checkpoint) -> None:
    """Write a model atomically. Equal models on equal machines give equal bytes.

    Args:
        path: the file.
        model: what to write. `load` of its class in Stable-Baselines3 or sb3-contrib opens it, with hindsight replay
            given an environment; neither the environment nor the replay buffer is in it.
        checkpoint: of the model as it stands.

    Raises:
        DivergedError: if a tensor holds a non-finite value; nothing is written.
    """
    require_finite(path, checkpoint)
    told = {"format": FORMAT, **checkpoint.header}
    saved, packed = io.BytesIO(), io.BytesIO()
    model.save(saved)
    with zipfile.ZipFile(saved) as native, zipfile.ZipFile(packed, "w") as archive:
        members = [(name, native.read(name)) for name in native.namelist()]
        for name, data in [(MEMBER, json.dumps(told, indent=2).encode()), *members]:
            archive.writestr(zipfile.ZipInfo(name, _DATE), data)
    write_atomic(path, packed.getvalue())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Never runs code from the file: what the library would unpickle is not read.

    Raises:
        InputError: if the file is missing, torn, too large, is no checkpoint of this format, or holds code where
            tensors belong.
    """
    with _damage_told(path), zipfile.ZipFile(path) as archive:
        if MEMBER not in archive.namelist():
            rule = "is of an earlier version of genelab or of another program: train again"
            raise InputError(f"'{path}' {rule} (no member '{MEMBER}')")
        _require_small(path, [archive.getinfo(name) for name in (MEMBER, WEIGHTS)])
        # Reading checks the sum of each.
        told: dict[str, Any] = json.loads(archive.read(MEMBER))
        if told.get("format") != FORMAT:
            raise InputError(f"'{path}' is no checkpoint: its format is not '{FORMAT}'")
        data = io.BytesIO(archive.read(WEIGHTS))
        with zipfile.ZipFile(data) as inner:
            _require_small(path, inner.infolist())
        data.seek(0)
        actor, critic = _parts(torch.load(data, map_location="cpu", weights_only=True))
        return Checkpoint(told["config_sha256"], told["iteration"], told["layout"], actor, critic, TRAINER)


def _require_small(path: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """A member never unpacks to more than it claims."""
    if (claimed := sum(member.file_size for member in members)) > LARGEST:
        raise InputError(f"checkpoint '{path}' claims to unpack to {claimed} bytes, must be at most {LARGEST}")


def _parts(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """Tensors of the actor, without the name that it has beside critics, and of the critics."""
    actor = {name.removeprefix(_ACTOR): t for name, t in tensors.items() if name.startswith((_ACTOR, *_PPO_ACTOR))}
    return actor, {name: tensor for name, tensor in tensors.items() if name.startswith((*_CRITICS, *_PPO_CRITIC))}


@contextmanager
def _damage_told(path: Path) -> Generator[None]:
    """Tell whatever reading a zip file raises as InputError: that it holds code, or is torn."""
    try:
        yield
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(f"checkpoint '{path}' holds code, not only tensors, and was not loaded") from error
    except Exception as error:  # damaged data makes zip, pickle and torch raise nearly anything
        told = one_line(str(error).partition("\n")[0], MAX_LINE) or type(error).__name__
        raise InputError(f"checkpoint '{path}' is torn or no checkpoint: {told}") from error
