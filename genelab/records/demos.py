"""Demonstration files, `genelab/demos/1`: arrays in an .npz, and a header that says what their columns are.

    header                 strict JSON in UTF-8 bytes, uint8, one dimension
    observations/<group>   float32, (rows, width of the group in the header's layout)
    actions                float32, (rows, actions), as they were handed to the environment
    ends                   bool, (rows,), true on the last row of an episode; optional

A file whose header has a `collection` holds whole transitions. Row t x num_envs + e is step t of environment e, and:

    next_observations/<group>   float32, as observations; on the last row of an episode its final observation, not the
                                next episode's first
    rewards                     float32, (rows,)
    terminated, truncated       bool, (rows,); never both

Nothing in such a file is ever executed: arrays that hold Python objects are refused.

A later writer may add fields to the header and arrays beside these under the same schema; readers keep what they know.
Whatever changes the meaning of a field or an array that stands here takes a new schema.
"""

import io
import json
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from genelab.config.base import Sha256
from genelab.config.task import TaskId
from genelab.errors import InputError
from genelab.records.base import Record
from genelab.records.files import MAX_LINE, parse_json, short_problem

OBSERVATIONS, NEXT_OBSERVATIONS = "observations/", "next_observations/"
"""Prefixes of the arrays of observation groups."""

GroupName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$")]

Bounds = tuple[float, float]
"""Lowest and highest value."""

MAX_HEADER = 2**22
"""Largest header that is read, bytes."""
MAX_BYTES = 2**33
"""Most that the arrays of a file may take, bytes. A small zip may claim to unpack to more than any memory holds."""

_NPY = ".npy"
_KNOWN = ("header", "actions", "ends", "rewards", "terminated", "truncated")

# Everything that numpy and the zip below it raise on torn or hostile files.
_BROKEN = (
    *(ValueError, TypeError, KeyError, EOFError, OSError, RuntimeError, MemoryError, OverflowError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
)


class _Open(Record):
    # Later writers add fields; see the head of this file.
    model_config = ConfigDict(extra="ignore")


class LayoutRow(_Open):
    """Columns of one observation term, as `Environment.layout` tells them."""

    name: str
    """Name of the term."""
    start: NonNegativeInt
    """First column."""
    stop: PositiveInt
    """Column after the last."""
    columns: tuple[str, ...] | None = None
    """A name for each column; null if unknown."""
    unit: str | None = None
    """Unit of the value; null if unknown."""
    scale: float = 1.0
    """Factor from the value to the observation."""
    func: str | None = None
    """Function that computes the value; null if unknown."""
    params: dict[str, Any] = {}
    """Its arguments, plain JSON."""
    bounds: tuple[Bounds, ...] | None = None
    """Lowest and highest value of every column, before the scale; null if none is known."""
    clip: tuple[Bounds, ...] | None = None
    """Limits that the values of every column were cut to, before the scale; null if nothing cuts them."""

    @model_validator(mode="after")
    def _one_for_each_column(self) -> Self:
        width = self.stop - self.start
        for field, what in (("columns", "names"), ("bounds", "pairs"), ("clip", "pairs")):
            found = getattr(self, field)
            if found is not None and len(found) != width:
                raise ValueError(f"{field}: {len(found)} {what} for {width} columns")
        return self


class ActionColumn(_Open):
    """One column of the actions."""

    name: str
    """Driven joint, or what else the action moves."""
    bounds: Bounds | None = None
    """Lowest and highest action that makes sense; null if none is known."""
    clip: Bounds | None = None
    """Limits that the actions were cut to; null if nothing cuts them."""


class Collection(_Open):
    """How the transitions of a file were collected."""

    num_envs: PositiveInt
    """Parallel environments."""
    steps: PositiveInt
    """Control steps of each. The last one ended an episode in every environment."""
    seed: NonNegativeInt
    """Seed of the environments."""
    env: dict[str, JsonValue]
    """Configuration of the environment, as in `params/env.json`: what an action means, and what was rewarded."""
    episodes: PositiveInt
    """Finished episodes."""
    return_mean: float
    """Mean return of an episode."""
    success_rate: float | None = Field(ge=0.0, le=1.0)
    """Share of the episodes that reached the goal at any step; null without a goal."""
    success_at_end_rate: float | None = Field(ge=0.0, le=1.0)
    """Share that had reached it in the final state; null without a goal."""


class DemoHeader(_Open):
    """The header of a demonstration file."""

    schema_: Literal["genelab/demos/1"] = Field(alias="schema")
    """Name and version of this schema."""
    task: TaskId
    """Task identifier."""
    task_version: PositiveInt | None = None
    """Version of the task under its identifier; null if the writer does not say."""
    config_sha256: Sha256
    """Digest of the configuration that the demonstrations were recorded under."""
    layout: dict[GroupName, tuple[LayoutRow, ...]] = Field(min_length=1)
    """Observation groups of the file, each with its terms in the order of the columns, without gaps."""
    normalized: bool
    """Whether every observation column was brought to mean 0 and standard deviation 1. Otherwise the observations are
    as the environment gives them, scaled and not normalised."""
    actions: tuple[ActionColumn, ...] | None = None
    """Columns of the actions; null if the writer does not say."""
    collection: Collection | None = None
    """How the transitions were collected; null for a file of observations and actions alone."""

    @model_validator(mode="after")
    def _without_gaps(self) -> Self:
        for group, rows in self.layout.items():
            starts, stops = [row.start for row in rows], [row.stop for row in rows]
            if not rows or starts != [0, *stops[:-1]] or any(row.stop <= row.start for row in rows):
                raise ValueError(f"layout.{group}: the terms do not cover the columns one after the other")
        return self

    def widths(self) -> dict[str, int]:
        """Columns of every observation group."""
        return {group: rows[-1].stop for group, rows in self.layout.items()}


@dataclass(frozen=True)
class Transitions:
    """What followed each row."""

    next_observations: dict[str, NDArray[np.float32]]
    """Observations after the step and before a reset, by group. Shape of each: (rows, width of the group)."""
    rewards: NDArray[np.float32]
    """Shape: (rows,)."""
    terminated: NDArray[np.bool_]
    """Whether the task ended the episode. Shape: (rows,)."""
    truncated: NDArray[np.bool_]
    """Whether the time limit alone ended it. Shape: (rows,)."""


@dataclass(frozen=True)
class Demos:
    """What a demonstration file holds."""

    header: DemoHeader
    observations: dict[str, NDArray[np.float32]]
    """Observations by group. Shape of each: (rows, width of the group)."""
    actions: NDArray[np.float32]
    """Shape: (rows, actions)."""
    ends: NDArray[np.bool_] | None
    """Whether a row is the last of its episode; None if the file does not say. Shape: (rows,)."""
    transitions: Transitions | None = None
    """What followed each row; given exactly with the header's `collection`."""


def encode_demos(demos: Demos) -> bytes:
    """Bytes of a demonstration file. Equal demonstrations give equal bytes."""
    header = json.dumps(demos.header.model_dump(mode="json"), allow_nan=False).encode()
    arrays: dict[str, Any] = {"header": np.frombuffer(header, np.uint8), "actions": demos.actions}
    arrays |= {f"{OBSERVATIONS}{group}": array for group, array in demos.observations.items()}
    if demos.ends is not None:
        arrays["ends"] = demos.ends
    if (after := demos.transitions) is not None:
        arrays |= {f"{NEXT_OBSERVATIONS}{group}": array for group, array in after.next_observations.items()}
        arrays |= {"rewards": after.rewards, "terminated": after.terminated, "truncated": after.truncated}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read_demos(path: Path) -> Demos:
    """Read a demonstration file. Never runs code from it.

    What is not as large as its header says is not unpacked. Values may be non-finite.

    Raises:
        InputError: if the file is missing, torn, holds Python objects, or breaks the format; one line that names the
            array and the rule.
    """
    if not path.is_file():
        raise InputError(f"demonstration file '{path}' does not exist")
    if not zipfile.is_zipfile(path):
        raise InputError(f"demonstration file '{path}' is torn or no .npz")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except ValidationError as error:
        raise _refusal(path, f"has a wrong header: {short_problem(error)}") from error
    except (ValueError, RecursionError) as error:
        raise _refusal(path, str(error)) from error
    except _BROKEN as error:
        raise _refusal(path, f"is torn or no .npz: {str(error) or type(error).__name__}") from error


def _read(archive: zipfile.ZipFile) -> Demos:
    # Others are not even looked at.
    names = [member.removesuffix(_NPY) for member in archive.namelist() if member.endswith(_NPY)]
    names = [name for name in names if name in _KNOWN or name.startswith((OBSERVATIONS, NEXT_OBSERVATIONS))]
    declared = {name: _declared(archive, name) for name in names}
    header = DemoHeader.model_validate_json(_header_bytes(archive, declared.get("header")), strict=True)
    wanted = _checked(header, declared)
    if (claimed := sum(declared[name].nbytes for name in wanted)) > MAX_BYTES:
        raise ValueError(f"claims {claimed} bytes of arrays, it must hold at most {MAX_BYTES}")
    arrays = {name: _array(archive, name) for name in wanted}
    groups = {group: arrays[f"{OBSERVATIONS}{group}"] for group in header.layout}
    after = None if header.collection is None else _transitions(header, header.collection, arrays)
    return Demos(header, groups, arrays["actions"], arrays.get("ends"), after)


@dataclass(frozen=True)
class _Declared:
    """What the first bytes of a member say of its array, before the rest is unpacked."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def _named(name: str) -> Generator[None]:
    """Tell which array is broken."""
    try:
        yield
    except _BROKEN as error:
        told = str(error) or type(error).__name__
        raise ValueError(f"holds an array '{name}' that cannot be read: {told}") from error


def _declared(archive: zipfile.ZipFile, name: str) -> _Declared:
    with _named(name), archive.open(f"{name}{_NPY}") as member:
        version = npy.read_magic(member)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"format {version} is not known")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(member)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are never loaded")
        declared = _Declared(shape, dtype)
        held = archive.getinfo(f"{name}{_NPY}").file_size - member.tell()
        if held != declared.nbytes:
            raise ValueError(f"it has {held} bytes, {declared.dtype} of shape {shape} takes {declared.nbytes}")
        return declared


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with _named(name), archive.open(f"{name}{_NPY}") as member:
        return npy.read_array(member, allow_pickle=False)


def _refusal(path: Path, why: str) -> InputError:
    # The file may have chosen the words: names of arrays, bytes of a broken zip.
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(why.split()))
    return InputError(f"demonstration file '{path}' {line if len(line) <= MAX_LINE else f'{line[:MAX_LINE]} ...'}")


def _header_bytes(archive: zipfile.ZipFile, declared: _Declared | None) -> bytes:
    if declared is None or declared.dtype != np.uint8 or len(declared.shape) != 1:
        raise ValueError("has no header of UTF-8 bytes: 'header' must be a uint8 array of one dimension")
    if declared.nbytes > MAX_HEADER:
        raise ValueError(f"claims a header of {declared.nbytes} bytes, it must have at most {MAX_HEADER}")
    text = _array(archive, "header").tobytes()
    try:
        parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"has a header that is not valid JSON: {error}") from error
    return text


def _checked(header: DemoHeader, declared: Mapping[str, _Declared]) -> list[str]:
    """Names of the arrays that belong to a file with this header, after a look at the shape and type of each."""
    widths = header.widths()
    found = {name.removeprefix(OBSERVATIONS) for name in declared if name.startswith(OBSERVATIONS)}
    if found != set(widths):
        raise ValueError(f"holds the observation groups {sorted(found)}, its header's layout {sorted(widths)}")
    rows, columns = _check_rows(declared, "actions", None)
    if header.actions is not None and len(header.actions) != columns:
        raise ValueError(f"'actions' has {columns} columns, its header names {len(header.actions)}")
    names = ["actions"]
    for group, width in widths.items():
        names.append(f"{OBSERVATIONS}{group}")
        if (own := _check_rows(declared, names[-1], width)[0]) != rows:
            raise ValueError(f"'{names[-1]}' has {own} rows, 'actions' {rows}")
    if "ends" in declared:
        names.append("ends")
        _check_column(declared, "ends", rows, np.bool_)
    if (collection := header.collection) is None:
        return names
    if rows != collection.num_envs * collection.steps:
        told = f"{collection.steps} steps of {collection.num_envs} environments"
        raise ValueError(f"has {rows} rows, its header tells of {told}")
    for group, width in widths.items():
        names.append(f"{NEXT_OBSERVATIONS}{group}")
        if (own := _check_rows(declared, names[-1], width)[0]) != rows:
            raise ValueError(f"has '{names[-1]}' of {own} rows, 'actions' has {rows}")
    for name, kind in (("terminated", np.bool_), ("truncated", np.bool_), ("rewards", np.float32)):
        names.append(name)
        _check_column(declared, name, rows, kind)
    return names


def _check_rows(declared: Mapping[str, _Declared], name: str, width: int | None) -> tuple[int, int]:
    """Check a matrix of float32; returns its rows and columns."""
    array = declared.get(name)
    if array is None:
        raise ValueError(f"has no array '{name}'")
    shape = array.shape
    wanted = "(rows, columns)" if width is None else f"(rows, {width})"
    if len(shape) != 2 or 0 in shape or shape[1] != (width or shape[1]):
        raise ValueError(f"has '{name}' of shape {shape}, it must be {wanted} with one row or more")
    if array.dtype != np.float32:
        raise ValueError(f"has '{name}' of type {array.dtype}, it must be float32")
    return shape[0], shape[1]


def _check_column(declared: Mapping[str, _Declared], name: str, rows: int, kind: Any) -> None:
    array = declared.get(name)
    if array is None:
        raise ValueError(f"has no array '{name}'")
    if array.dtype != kind or array.shape != (rows,):
        wanted = np.dtype(kind).name
        raise ValueError(f"has '{name}' of type {array.dtype} and shape {array.shape}, it must be {wanted} ({rows},)")


def _transitions(header: DemoHeader, collection: Collection, arrays: Mapping[str, NDArray[Any]]) -> Transitions:
    terminated, truncated = arrays["terminated"], arrays["truncated"]
    if bool((terminated & truncated).any()):
        raise ValueError("has a row that is both 'terminated' and 'truncated'")
    ended = terminated | truncated
    if not bool(ended[-collection.num_envs :].all()):
        raise ValueError("ends in the middle of an episode: its last step must end one in every environment")
    if collection.episodes != int(ended.sum()):
        raise ValueError(f"has {int(ended.sum())} ends of episodes, its header tells of {collection.episodes}")
    if "ends" in arrays and not np.array_equal(arrays["ends"], ended):
        raise ValueError("has 'ends' that are not where 'terminated' or 'truncated' is true")
    following = {group: arrays[f"{NEXT_OBSERVATIONS}{group}"] for group in header.layout}
    return Transitions(following, arrays["rewards"], terminated, truncated)
