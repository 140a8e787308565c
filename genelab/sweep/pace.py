"""How far a seed is and how long it still takes, from what its worker leaves in its directory. For the eye alone."""

import heapq
import re
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, NonNegativeInt, PositiveFloat, ValidationError

from genelab.config.task import TaskSpec
from genelab.progress import STAMP

_TAIL_BYTES = 16384
_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (.+)")
_ITERATION = "iteration "
"""How a line of a worker begins that tells of an iteration."""


class Row(BaseModel):
    """What a row of a learning curve says about progress. `genelab check` judges the file."""

    iteration: NonNegativeInt
    """Number of the iteration, from 0."""
    episode_return: float | None
    """Mean return of the last finished training episodes; null before the first."""
    steps_per_s: PositiveFloat
    """Control steps per second over all environments."""


@dataclass(frozen=True)
class Progress:
    """Where the training of a seed is."""

    done: int
    """Iterations done, those of all stages."""
    episode_return: float | None
    """As in `Row`."""
    steps_per_s: float
    """Of the last iteration."""
    pace: float | None
    """Control steps per second to reckon with: the median of the last iterations of the stage, its first left out, in
    which kernels are compiled. None until there is another."""


@dataclass(frozen=True)
class Phase:
    """What a worker is doing."""

    text: str
    since: datetime


def read_progress(curve: Path, task: TaskSpec) -> Progress | None:
    """Progress as of the last whole rows of curve.jsonl; None if there is none near its end."""
    rows: list[Row] = []
    for line in _tail(curve):
        # The last line may be half a row, being written right now; the first one is cut off.
        with suppress(ValidationError):
            rows.append(Row.model_validate_json(line))
    if not rows:
        return None
    last = rows[-1]
    begun = max(start for start in _starts(task) if start <= last.iteration)
    speeds = [row.steps_per_s for row in rows if row.iteration > begun]
    pace = statistics.median(speeds) if speeds else None
    return Progress(last.iteration + 1, last.episode_return, last.steps_per_s, pace)


def read_phase(log: Path) -> Phase | None:
    """The phase that the newest process of a train.log is in; None while it iterates, or has said nothing."""
    for line in reversed(_tail(log)):
        if line.startswith((_ITERATION, "--- ")):
            return None
        if found := _STAMPED.fullmatch(line):
            return Phase(found[2], datetime.strptime(found[1], STAMP).replace(tzinfo=UTC))
    return None


def stages_left(task: TaskSpec, done: int, pace: float) -> list[tuple[str | None, float]]:
    """Seconds of training left in each stage after `done` iterations; the last one has no name."""
    found: list[tuple[str | None, float]] = []
    end = 0
    for name, stage in task.line():
        begin, end = end, end + stage.train.iterations
        steps = task.env_steps(end) - task.env_steps(min(max(done, begin), end))
        found.append((name, steps / pace))
    return found


def schedule(running: Sequence[float], waiting: Sequence[float], parallel: int) -> float:
    """Seconds until everything is done, if what waits begins in order wherever a place is free."""
    free = [*running, *[0.0] * max(parallel - len(running), 0)]
    heapq.heapify(free)
    for seconds in waiting:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def _starts(task: TaskSpec) -> list[int]:
    """The iteration with which each stage begins."""
    starts = [0]
    for _, stage in task.line()[:-1]:
        starts.append(starts[-1] + stage.train.iterations)
    return starts


def _tail(path: Path) -> list[str]:
    """The last lines of a file; none if it is not there."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()
