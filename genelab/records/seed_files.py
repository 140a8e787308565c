"""The files of one finished seed, read and parsed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genelab.errors import RunError
from genelab.records.curve import Curve, curve_of
from genelab.records.eval import EvalRecord
from genelab.records.files import read_json, read_rows
from genelab.records.run import RunRecord, TrainTiming
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp

PARTS = ("task", "env", "agent")
"""Files of the snapshot in `params/`."""


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
    snapshot: dict[str, Any]
    """params/ as {task, env, agent}."""
    curve: Curve
    """curve.jsonl."""


def train_stamps(run: RunRecord) -> TrainStamps:
    """Stamps of a finished run. Raises RunError naming what is missing."""
    missing = [n for n in ("code", "packages", "hardware", "backend", "timing") if getattr(run, n) is None]
    if missing or not (run.code and run.packages and run.hardware and run.backend and run.timing):
        raise RunError(f"missing stamps: {', '.join(missing) or 'code'}")
    return TrainStamps(run.code, run.packages, run.hardware, run.backend, run.timing)


def read_snapshot(params: Path) -> dict[str, Any]:
    """Read `params/{task,env,agent}.json`. Raises RunError naming the file."""
    snapshot: dict[str, Any] = {}
    for part in PARTS:
        try:
            snapshot[part] = read_json(params / f"{part}.json")
        except RunError as error:
            raise RunError(f"{part}.json: {error}") from error
        if not isinstance(snapshot[part], dict):
            raise RunError(f"{part}.json: no JSON object")
    return snapshot


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
