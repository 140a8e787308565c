"""The files of one finished seed, read and parsed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, PositiveInt, ValidationError

from genelab.config.snapshot import config_sha256, load_task
from genelab.config.task import TaskSpec
from genelab.errors import InputError, RunError
from genelab.records import names
from genelab.records.curve import Curve, curve_of
from genelab.records.eval import EvalRecord
from genelab.records.files import read_json, read_rows, short_problem
from genelab.records.probe import ProbeRecord
from genelab.records.run import RunRecord, TrainTiming
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp


class _Part(BaseModel):
    # What a check reads of a snapshot. An old one may hold fields that the config models of today do not know.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, use_attribute_docstrings=True)


class SnapshotTrain(_Part):
    """Training in a snapshot."""

    num_envs: int
    """Parallel environments."""
    iterations: int
    """Learning iterations."""


class SnapshotTask(_Part):
    """params/task.json, as far as records depend on it."""

    id: str
    """Task identifier."""
    task_version: int
    """Version of the task."""
    variant: str | None = None
    """Variant of its learner, budget and size; None for the task itself."""
    summary: str
    """One line on the task."""
    return_ceiling: float | None
    """Largest possible return."""
    published_as: str | None
    """Task of the published tables."""
    train: SnapshotTrain
    """Its training."""
    protocol: dict[str, JsonValue]
    """The task's own protocol."""
    probe: dict[str, JsonValue] | None = None
    """Fixed commands under which the policy is driven; None for a task without."""


class SnapshotMeasure(_Part):
    """A measure in a snapshot."""

    unit: str
    """Unit of its value."""


class SnapshotTerrain(_Part):
    """The ground."""

    rows: PositiveInt
    """Levels of difficulty."""


class SnapshotEnv(_Part):
    """params/env.json, as far as records depend on it."""

    measures: dict[str, SnapshotMeasure] = {}
    """What an evaluation measures, by name."""
    terrain: SnapshotTerrain | None = None
    """Uneven ground; None for a plane or nothing."""


class SnapshotAgent(_Part):
    """params/agent.json, as far as records depend on it."""

    algorithm: str
    """Learning algorithm."""
    trainer: str
    """Library that implements it."""
    num_steps_per_env: int | None = None
    """Control steps per environment and iteration; None for learners that have no such number."""


class Snapshot(_Part):
    """The configuration that a run was launched with."""

    sha256: str
    """Digest of the stored data."""
    task: SnapshotTask
    """The task."""
    env: SnapshotEnv
    """The environment."""
    agent: SnapshotAgent
    """The learner."""


@dataclass(frozen=True)
class TrainStamps:
    """Stamps of the training process, present in every finished run."""

    code: tuple[CodeStamp, ...]
    packages: dict[str, str]
    hardware: HardwareStamp
    backend: BackendStamp
    timing: TrainTiming


@dataclass(frozen=True)
class SeedFiles:
    """A finished seed."""

    path: Path
    """Directory `seed_<S>`."""
    run: RunRecord
    """run.json."""
    train: TrainStamps
    """Its stamps."""
    eval: EvalRecord
    """eval.json."""
    snapshot: Snapshot
    """params/"""
    task: TaskSpec
    """The task in it."""
    curve: Curve
    """curve.jsonl."""
    probe: ProbeRecord | None = None
    """probe.json, of a task with a probe."""


def train_stamps(run: RunRecord) -> TrainStamps:
    """Stamps of a finished run. Raises RunError naming what is missing."""
    missing = [n for n in ("code", "packages", "hardware", "backend", "timing") if getattr(run, n) is None]
    if missing or not (run.code and run.packages and run.hardware and run.backend and run.timing):
        raise RunError(f"missing stamps: {', '.join(missing) or 'code'}")
    return TrainStamps(run.code, run.packages, run.hardware, run.backend, run.timing)


def read_snapshot(params: Path) -> Snapshot:
    """Read `params/{task,env,agent}.json`. Raises RunError naming the file, or the field that is wrong."""
    data: dict[str, Any] = {}
    for part in names.PARTS:
        try:
            data[part] = read_json(params / f"{part}.json")
        except RunError as error:
            raise RunError(f"{part}.json: {error}") from error
    try:
        return Snapshot(sha256=config_sha256(data), **data)
    except ValidationError as error:
        raise RunError(short_problem(error)) from error


def read_task(params: Path) -> TaskSpec:
    """The whole task of a snapshot, as the config models of today read it.

    Raises:
        RunError: if a part cannot be read, or is no task to them; names the field.
    """
    try:
        return load_task({part: read_json(params / f"{part}.json") for part in names.PARTS}, "snapshot")
    except InputError as error:
        raise RunError(str(error)) from error


def read_curve(path: Path, budget: int) -> Curve:
    """Read curve.jsonl. Raises RunError naming what is wrong."""
    rows: list[tuple[int, float | None]] = []
    for number, row in enumerate(read_rows(path), start=1):
        iteration, value = row.get("iteration"), row.get("episode_return")
        if type(iteration) is not int or not (value is None or type(value) in (int, float)):
            raise RunError(f"line {number}: iteration must be an integer and episode_return a number or null")
        rows.append((iteration, value))
    if not rows or rows[-1][0] != budget - 1:
        raise RunError(f"ends at iteration {rows[-1][0] if rows else None}, {budget} iterations were trained")
    try:
        return curve_of(rows, budget)
    except ValueError as error:
        raise RunError(str(error)) from error
