"""What must hold after a kill, and what must be equal in the end."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from genelab.errors import GenelabError
from genelab.learn.checkpoint import load, weights_sha256_of_file
from genelab.learn.round_trip import SCHEMA as ROUND_TRIP
from genelab.records import names
from genelab.records.arrays import read
from genelab.records.check import check_path
from genelab.records.entry import EntryRecord
from genelab.records.eval import EvalRecord
from genelab.records.files import parse_json, read_record
from genelab.records.run import RunRecord
from genelab.records.sweep import SweepRecord
from genelab.runs.files import TEMPORARIES
from genelab.runs.lock import LOCK_NAME
from genelab.worker.training import RESUME

CLOCK = {"wall_s", "collect_s", "update_s", "steps_per_s"}
"""Columns of a learning curve that hold times."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
MODELS = {names.RUN: RunRecord, names.EVAL: EvalRecord, names.SWEEP: SweepRecord, names.ENTRY: EntryRecord}


def torn(root: Path) -> list[str]:
    """Files below `root` under their final name that are not whole. One row of a curve may be half written."""
    found: list[str] = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        reader = _reader(path)
        try:
            if reader:
                reader(path)
        except (GenelabError, ValueError) as error:
            found.append(f"{path.relative_to(root)}: {error}")
    return found


def _reader(path: Path) -> Callable[[Path], Any] | None:
    if path.name in MODELS:
        return lambda p: read_record(p, MODELS[p.name])
    if path.suffix == ".json":
        return lambda p: parse_json(p.read_bytes())
    if path.name.startswith("model_") or path.suffix == ".zip":
        return load
    if path.suffix == ".safetensors":
        return lambda p: read(p, ROUND_TRIP if p.name == names.ROUND_TRIP else RESUME)
    return _read_rows if path.name == names.CURVE else None


def _read_rows(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    numbers = [parse_json(line)["iteration"] for line in lines if line.endswith("\n")]
    if numbers != list(range(len(numbers))):
        raise ValueError(f"iterations {numbers}")


def leftovers(root: Path) -> list[str]:
    """Temporary files and drafts that nobody will ever finish."""
    found = [*root.rglob(TEMPORARIES), *root.rglob(f"{names.DRAFT}*")]
    return [f"{path.relative_to(root)}: left behind" for path in sorted(found)]


def curve(run: Path) -> list[dict[str, Any]]:
    """The learning curve without times."""
    rows = [json.loads(line) for line in (run / names.CURVE).read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in rows]


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Iteration and value by name, as TensorBoard shows the events of all attempts."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def logged_iterations(run: Path) -> list[int]:
    """Iterations in the TensorBoard events of all attempts."""
    return [iteration for iteration, _ in scalars(run)["Train/step_reward"]]


def unequal_runs(run: Path, reference: Path) -> Iterator[str]:
    """What differs between a disturbed run directory and the undisturbed one, and what was counted twice."""
    ours, theirs = (json.loads((path / names.RUN).read_text()) for path in (run, reference))
    for field in ("weights_sha256", "sha256", "iteration"):
        if ours["checkpoint"][field] != theirs["checkpoint"][field]:
            yield f"checkpoint.{field} differs"
    for field in ("env_steps", "iterations"):
        if ours["timing"][field] != theirs["timing"][field]:
            yield f"timing.{field}: {ours['timing'][field]} for {theirs['timing'][field]}"
    if curve(run) != curve(reference):
        yield "the learning curve differs"
    if logged_iterations(run) != logged_iterations(reference):
        yield f"TensorBoard shows iterations {logged_iterations(run)}"
    for path in sorted([*reference.glob("model_*.pt"), *reference.glob("model*.zip")]):
        if (run / path.name).read_bytes() != path.read_bytes():
            yield f"{path.name} differs"
    ours, theirs = (json.loads((path / names.EVAL).read_text()) for path in (run, reference))
    for field in ("episodes", "metrics", "baselines", "above_idle", "protocol"):
        if ours[field] != theirs[field]:
            yield f"eval.json: {field} differs"


def unequal_stores(store: Path, reference: Path) -> Iterator[str]:
    """What differs between two stores: every file but locks, and the date of an entry."""
    ours, theirs = (
        {path.relative_to(root): path for path in root.rglob("*") if path.is_file() and path.name != LOCK_NAME}
        for root in (store, reference)
    )
    for name in sorted(ours.keys() ^ theirs.keys()):
        yield f"{name}: {'one more' if name in ours else 'missing'}"
    for name in sorted(ours.keys() & theirs.keys()):
        if name.name != names.ENTRY:
            equal = ours[name].read_bytes() == theirs[name].read_bytes()
        else:
            a, b = (json.loads(path.read_text()) for path in (ours[name], theirs[name]))
            equal = {**a, "created_at": None} == {**b, "created_at": None}
        if not equal:
            yield f"{name} differs"


def unequal_pages(docs: Path, reference: Path) -> Iterator[str]:
    """Which pages and pictures differ, dates aside."""
    for path in sorted(path for path in reference.rglob("*") if path.is_file()):
        ours, theirs = (_DATE.sub("", p.read_text()) for p in (docs / path.relative_to(reference), path))
        if ours != theirs:
            yield f"{path.relative_to(reference)} differs"


def findings(path: Path) -> list[str]:
    """What `genelab check --weights` finds."""
    return [str(finding) for finding in check_path(path, weights_sha256_of_file).findings]
