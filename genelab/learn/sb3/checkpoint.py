"""Checkpoints as `model.zip`: the native file of Stable-Baselines3, with a member that says what it belongs to."""

import io
import json
import pickle
import zipfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from genelab.config.snapshot import one_line
from genelab.errors import InputError
from genelab.learn.checkpoint import Checkpoint, Tensors, parse, require_finite
from genelab.learn.policy import Layout
from genelab.learn.sb3.policy import GROUPS, PLAIN
from genelab.records.files import MAX_LINE, parse_json
from genelab.runs.files import write_atomic

FORMAT = "genelab/sb3-checkpoint/1"
TRAINER = "stable_baselines3"
MEMBER = "genelab.json"
"""The member that genelab adds."""
WEIGHTS = "policy.pth"
LARGEST = {MEMBER: 2**22, WEIGHTS: 2**30}
"""Largest size of a member that is read, bytes. A zip may claim to unpack to more than any memory holds."""
MOST_MEMBERS = 1000
"""The library writes half a dozen."""
_DATE = (1980, 1, 1, 0, 0, 0)
_ACTOR, _CRITICS = "actor.", ("critic.", "critic_target.")
_PPO_ACTOR = (
    *("features_extractor.", "pi_features_extractor.", "vf_features_extractor."),
    *("mlp_extractor.policy_net.", "action_net.", "log_std"),
)
_PPO_CRITIC = ("mlp_extractor.value_net.", "value_net.")
_KNOWN = (_ACTOR, *_CRITICS, *_PPO_ACTOR, *_PPO_CRITIC)


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
        InputError: if the file is missing, torn, is no checkpoint of this format, holds anything but tensors where
            they belong, or holds non-finite weights.
    """
    told, weights = _read(path)
    actor, critic = _parts(_weights(path, weights))
    header = _told(path, told)
    groups = PLAIN if PLAIN[0] in (header.get("layout") or ()) else GROUPS
    return parse(path, header, actor, critic, groups, TRAINER)


def _parts(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """Tensors of the actor, without the name that it has beside critics, and of the critics."""
    actor = {name.removeprefix(_ACTOR): t for name, t in tensors.items() if name.startswith((_ACTOR, *_PPO_ACTOR))}
    return actor, {name: tensor for name, tensor in tensors.items() if name.startswith((*_CRITICS, *_PPO_CRITIC))}


def _read(path: Path) -> tuple[bytes, bytes]:
    """The two members that are read, after a look at all of them."""
    with _damage_told(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) > MOST_MEMBERS:
            raise InputError(f"checkpoint '{path}' has {len(names)} members, must have at most {MOST_MEMBERS}")
        if MEMBER not in names:
            told = "is of an earlier version of genelab or of another program: train again"
            raise InputError(f"'{path}' {told} (no member '{MEMBER}')")
        if WEIGHTS not in names:
            raise InputError(f"'{path}' is no checkpoint: it has no member '{WEIGHTS}'")
        if twice := next((name for name, count in Counter(names).items() if count > 1), None):
            raise InputError(f"checkpoint '{path}' is damaged: it has two members '{one_line(twice, MAX_LINE)}'")
        for name in (MEMBER, WEIGHTS):
            if (size := archive.getinfo(name).file_size) > LARGEST[name]:
                rule = f"must hold at most {LARGEST[name]}"
                raise InputError(f"checkpoint '{path}': its member '{name}' claims {size} bytes, {rule}")
        # Reading checks the sum of each; a member never unpacks to more than it claims.
        return archive.read(MEMBER), archive.read(WEIGHTS)


def _told(path: Path, data: bytes) -> dict[str, Any]:
    """What the file says beside the weights."""
    try:
        told = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' is no checkpoint: its {MEMBER} is no JSON: {_first_line(error)}") from error
    if not isinstance(told, dict) or told.pop("format", None) != FORMAT:
        raise InputError(f"'{path}' is no checkpoint: its format is not '{FORMAT}'")
    return told


def _weights(path: Path, data: bytes) -> Tensors:
    with _damage_told(path):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
        if claimed > LARGEST[WEIGHTS]:
            raise InputError(f"checkpoint '{path}': its '{WEIGHTS}' claims {claimed} bytes of tensors")
        weights = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(weights, dict) or not all(isinstance(n, str) and _is_plain(t) for n, t in weights.items()):
        raise InputError(f"'{path}' is no checkpoint: its '{WEIGHTS}' holds other things than named tensors")
    if strange := next((name for name in weights if not name.startswith(_KNOWN)), None):
        # The library would refuse it, too; and it would not count in the digest of the weights.
        told = one_line(strange, MAX_LINE)
        raise InputError(f"'{path}' is no checkpoint: its tensor '{told}' belongs to no network")
    return dict(weights)


def _is_plain(value: Any) -> bool:
    """Whether a value is a tensor as the library stores it. A view may claim more elements than any memory holds."""
    plain = isinstance(value, torch.Tensor) and value.layout is torch.strided and value.device.type == "cpu"
    return plain and value.is_contiguous()


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
        raise InputError(f"checkpoint '{path}' is torn or no checkpoint: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return one_line(str(error).partition("\n")[0], MAX_LINE) or type(error).__name__
