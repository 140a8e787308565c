"""The files of one finished seed, read and parsed."""

from dataclasses import dataclass
from pathlib import Path

from genelab.config.snapshot import config_sha256, load_task
from genelab.config.task import TaskSpec
from genelab.errors import FileError, RunError
from genelab.records import names
from genelab.records.curve import Curve, curve_of
from genelab.records.eval import EvalRecord
from genelab.records.files import parse_file, read_bytes, read_json, read_rows
from genelab.records.probe import ProbeRecord
from genelab.records.run import RunRecord, TrainTiming
from genelab.records.sim2sim import Sim2SimRecord
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp

KEPT_SNAPSHOTS = 16
_SNAPSHOTS: dict[tuple[bytes, ...], tuple[TaskSpec, str]] = {}
"""Those read last, by their bytes: the seeds of a sweep, and most entries of a task, have the same."""


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
    task: TaskSpec
    """The task of params/, as it was launched."""
    curve: Curve
    """curve.jsonl."""
    probe: ProbeRecord | None = None
    """probe.json, of a task with a probe."""
    sim2sim: Sim2SimRecord | None = None
    """sim2sim.json, of a task that is judged in Genesis."""


def train_stamps(run: RunRecord) -> TrainStamps:
    """Stamps of a finished run. Raises RunError naming what is missing."""
    missing = [n for n in ("code", "packages", "hardware", "backend", "timing") if getattr(run, n) is None]
    if missing or not (run.code and run.packages and run.hardware and run.backend and run.timing):
        raise RunError(f"missing stamps: {', '.join(missing) or 'code'}")
    return TrainStamps(run.code, run.packages, run.hardware, run.backend, run.timing)


def read_task(params: Path) -> TaskSpec:
    """Read the task of a snapshot, `params/{task,env,agent}.json`.

    Raises:
        FileError: if a part cannot be read, or together they are no task; names the field.
    """
    return load_task({part: read_json(params / f"{part}.json") for part in names.PARTS}, params)


def read_snapshot(params: Path) -> tuple[TaskSpec, str]:
    """The task of a snapshot and its `config_sha256`. Equal bytes give the same object: do not change it.

    Raises:
        FileError: as `read_task`.
    """
    data = tuple(read_bytes(params / f"{part}.json") for part in names.PARTS)
    if data not in _SNAPSHOTS:
        parsed = {part: parse_file(params / f"{part}.json", each) for part, each in zip(names.PARTS, data, strict=True)}
        task = load_task(parsed, params)
        if len(_SNAPSHOTS) >= KEPT_SNAPSHOTS:
            _SNAPSHOTS.clear()
        _SNAPSHOTS[data] = task, config_sha256(task)
    return _SNAPSHOTS[data]


def read_curve(path: Path, budget: int) -> Curve:
    """Read curve.jsonl. Raises FileError naming what is wrong."""
    rows: list[tuple[int, float | None]] = []
    for number, row in enumerate(read_rows(path), start=1):
        iteration, value = row.get("iteration"), row.get("episode_return")
        if type(iteration) is not int or not (value is None or type(value) in (int, float)):
            raise FileError(path, f"line {number}: iteration must be an integer and episode_return a number or null")
        rows.append((iteration, value))
    if not rows or rows[-1][0] != budget - 1:
        raise FileError(path, f"ends at iteration {rows[-1][0] if rows else None}, {budget} iterations were trained")
    try:
        return curve_of(rows, budget)
    except ValueError as error:
        raise FileError(path, str(error)) from error
