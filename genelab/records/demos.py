"""Demonstration files, `genelab/demos/2`: arrays in a safetensors file, whose document says what their columns are.

    observations/<group>   float32, (rows, width of the group in the header's layout)
    actions                float32, (rows, actions), as they were handed to the environment

A file whose header has a `collection` holds whole transitions. Row t x num_envs + e is step t of environment e, and:

    next_observations/<group>   float32, as observations; on the last row of an episode its final observation, not the
                                next episode's first
    rewards                     float32, (rows,)
    terminated, truncated       bool, (rows,); never both

A later writer may add fields to the header under the same schema; readers keep what they know. Whatever changes the
meaning of a field or an array that stands here takes a new schema.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
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
from genelab.config.snapshot import canonical_json, one_line
from genelab.config.task import TaskId
from genelab.errors import InputError
from genelab.records.arrays import Arrays, encode, read
from genelab.records.base import Record
from genelab.records.files import MAX_LINE, short_problem

SCHEMA = "genelab/demos/2"
OBSERVATIONS, NEXT_OBSERVATIONS = "observations/", "next_observations/"
"""Prefixes of the arrays of observation groups."""

GroupName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$")]

Bounds = tuple[float, float]
"""Lowest and highest value."""


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

    schema_: Literal["genelab/demos/2"] = Field(alias="schema")
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
class Demos:
    """What a demonstration file holds."""

    header: DemoHeader
    arrays: Arrays
    """Arrays by their names in the file; those of whole transitions exactly with the header's `collection`."""


def encode_demos(demos: Demos) -> bytes:
    """Bytes of a demonstration file. Equal demonstrations give equal bytes."""
    header = demos.header.model_dump(mode="json")
    return encode(header.pop("schema"), header, demos.arrays)


def read_demos(path: Path) -> Demos:
    """Read a demonstration file. Values may be non-finite.

    Raises:
        InputError: as `genelab.records.arrays.read`, or if header and arrays break the format; one line that names the
            field or the array and the rule.
    """
    document, arrays = read(path, SCHEMA)
    try:
        header = DemoHeader.model_validate_json(canonical_json(document), strict=True)
        _require_arrays(header, arrays)
        return Demos(header, arrays)
    except ValidationError as error:
        told = f"has a wrong header: {short_problem(error)}"
    except ValueError as error:
        told = one_line(str(error), MAX_LINE)
    raise InputError(f"demonstration file '{path}' {told}")


def _require_arrays(header: DemoHeader, arrays: Arrays) -> None:
    """Raises ValueError if header and arrays do not agree."""
    rows, columns = actions.shape if (actions := arrays.get("actions", np.empty(0))).ndim == 2 else (0, 0)
    if 0 in (rows, columns):
        raise ValueError("has no 'actions' of one row and column or more")
    if header.actions is not None and len(header.actions) != columns:
        raise ValueError(f"'actions' has {columns} columns, its header names {len(header.actions)}")
    wanted: dict[str, tuple[Any, tuple[int, ...]]] = {"actions": (np.float32, (rows, columns))}
    wanted |= {f"{OBSERVATIONS}{group}": (np.float32, (rows, width)) for group, width in header.widths().items()}
    if (made := header.collection) is not None:
        if rows != made.num_envs * made.steps:
            raise ValueError(f"has {rows} rows, its header tells of {made.steps} steps of {made.num_envs} environments")
        wanted |= {f"{NEXT_OBSERVATIONS}{n}": (np.float32, (rows, width)) for n, width in header.widths().items()}
        wanted |= {"rewards": (np.float32, (rows,)), **dict.fromkeys(("terminated", "truncated"), (np.bool_, (rows,)))}
    for name in sorted(wanted.keys() ^ arrays.keys()):
        raise ValueError(f"has no array '{name}'" if name in wanted else f"has an array '{name}' too many")
    for name, (dtype, shape) in wanted.items():
        if arrays[name].dtype != dtype or arrays[name].shape != shape:
            told = f"{arrays[name].dtype} of shape {arrays[name].shape}"
            raise ValueError(f"has '{name}' as {told}, must be {np.dtype(dtype)} of shape {shape}")
    if made is not None:
        _require_episodes(made, arrays["terminated"], arrays["truncated"])


def _require_episodes(collection: Collection, terminated: NDArray[np.bool_], truncated: NDArray[np.bool_]) -> None:
    if bool((terminated & truncated).any()):
        raise ValueError("has a row that is both 'terminated' and 'truncated'")
    ended = terminated | truncated
    if not bool(ended[-collection.num_envs :].all()):
        raise ValueError("ends in the middle of an episode: its last step must end one in every environment")
    if collection.episodes != int(ended.sum()):
        raise ValueError(f"has {int(ended.sum())} ends of episodes, its header tells of {collection.episodes}")
