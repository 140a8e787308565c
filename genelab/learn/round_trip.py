"""`round_trip.pt`: what the policy earned and saw at the end of training, before it left memory."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genelab.config.base import LARGEST_FLOAT
from genelab.config.snapshot import one_line
from genelab.config.task import ProtocolCfg
from genelab.errors import InputError
from genelab.learn.checkpoint import is_plain, load_tensors
from genelab.records.files import MAX_LINE

RECORDED_ROWS = 1024
"""Observations kept for the parity check of an export."""
ALL_GROUPS = ""
"""Name of the observations in older files, which hold those of the only group without its name."""


@dataclass(frozen=True)
class RoundTripFile:
    """What the file holds."""

    weights_sha256: str
    """Digest of the weights that earned it."""
    returns: tuple[float, ...]
    """Returns of episodes 0, 1, ... of the task's protocol."""
    observations: dict[str, Tensor]
    """What the policy read first, by group. Shape of each: (at most RECORDED_ROWS, dim), float32 on the CPU."""


def read_round_trip(path: Path, protocol: ProtocolCfg) -> RoundTripFile:
    """Read the file. Never runs code from it.

    Args:
        path: the file.
        protocol: the task's own, under which the returns were earned.

    Raises:
        InputError: if it is missing, torn, or does not hold what training writes; names field, value and rule.
    """
    data = load_tensors(path)
    if not isinstance(data, dict):
        raise InputError(f"'{path}' is no {path.name}: it holds no fields by name")
    weights, returns, observations = (data.get(name) for name in ("weights_sha256", "returns", "observations"))
    if not isinstance(weights, str) or not re.fullmatch("[0-9a-f]{64}", weights):
        raise _broken(path, "weights_sha256", weights, "must be a SHA-256 digest in lower-case hexadecimal")
    longest = min(protocol.episodes, protocol.round_trip_episodes)
    if type(returns) is not list or not 1 <= len(returns) <= longest:
        raise _broken(path, "returns", returns, f"must be a list of 1 to {longest} numbers")
    for number, value in enumerate(returns):
        # Beyond that, the record that they go into could not be read again.
        if type(value) is not float or not math.isfinite(value) or abs(value) > LARGEST_FLOAT:
            raise _broken(path, f"returns[{number}]", value, f"must be a float within ±{LARGEST_FLOAT:g}")
    groups = {ALL_GROUPS: observations} if isinstance(observations, Tensor) else observations
    if not isinstance(groups, dict) or not groups:
        raise _broken(path, "observations", observations, "must hold the rows of each group by its name")
    return RoundTripFile(weights, tuple(returns), {name: _rows(path, name, rows) for name, rows in groups.items()})


def recorded_observations(path: Path, protocol: ProtocolCfg, widths: Mapping[str, int]) -> tuple[Tensor, ...]:
    """The observations of some groups.

    Args:
        path: the file.
        protocol: as in `read_round_trip`.
        widths: expected width of each group.

    Returns:
        In the order of `widths`. Shape of each: (rows, width).

    Raises:
        InputError: as `read_round_trip`, or if a group is missing, has another width, or other rows than the rest.
    """
    found = read_round_trip(path, protocol).observations
    if [*found] == [ALL_GROUPS] and len(widths) == 1:
        found = dict.fromkeys(widths, found[ALL_GROUPS])
    for group, width in widths.items():
        if group not in found or found[group].shape[1] != width:
            raise InputError(f"'{path}' holds no observations of width {width} of group '{group}'")
    recorded = tuple(found[group] for group in widths)
    if len({len(rows) for rows in recorded}) > 1:
        raise InputError(f"'{path}' holds unequal numbers of observations of the groups {', '.join(widths)}")
    return recorded


def _rows(path: Path, name: object, rows: object) -> Tensor:
    field = f"observations.{name}" if name != ALL_GROUPS else "observations"
    if not isinstance(name, str) or not isinstance(rows, Tensor):
        raise _broken(path, field, rows, "must be a tensor under the name of its group")
    told = f"{str(rows.dtype).removeprefix('torch.')} tensor of shape {tuple(rows.shape)}"
    # In this order: a view or a tensor of another device could not even be looked through.
    if not is_plain(rows) or rows.dtype is not torch.float32:
        raise _broken(path, field, told, "must be float32 and stored as it was saved", quote=False)
    if rows.ndim != 2 or not 1 <= len(rows) <= RECORDED_ROWS or not rows.shape[1]:
        raise _broken(path, field, told, f"must have 1 to {RECORDED_ROWS} rows, and columns", quote=False)
    if not bool(rows.isfinite().all()):
        raise _broken(path, field, told, "must be finite", quote=False)
    return rows


def _broken(path: Path, field: str, value: Any, rule: str, *, quote: bool = True) -> InputError:
    told = _short(value) if quote else str(value)
    return InputError(f"'{path}': {one_line(field, MAX_LINE)} = {told}: {rule}")


def _short(value: Any) -> str:
    """What stands there, in some letters. Python refuses to write a very long integer."""
    if isinstance(value, Tensor):
        return "a tensor"
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    return one_line(repr(value), MAX_LINE)
