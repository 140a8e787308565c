"""The best published result of every task, as its entry says. Reads nothing else and checks nothing, so it is quick."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from genelab.errors import FileError
from genelab.records import names


class Best(NamedTuple):
    """A published result: means over the seeds of an entry."""

    entry: str
    """Name of the entry."""
    variant: str | None
    """Variant of the task; None for the task itself."""
    metric: str
    """`return`, or `success`: the share of the episodes that reach the goal."""
    mean: float
    """What the policies earn."""
    idle: float
    """What doing nothing earns."""
    hours: float
    """Wall-clock of the training of one seed, h."""


def best_results(store: Path) -> dict[str, Best]:
    """The best result of each task that has one, among its references (no previews) of the newest version.

    Raises:
        FileError: if an entry.json cannot be read.
    """
    versions: dict[str, int] = {}
    found: dict[str, Best] = {}
    for path in sorted(store.glob(f"*/[!.]*/{names.ENTRY}")):
        try:
            record = json.loads(path.read_bytes())
            if record["status"] != "reference" or record["aggregate"] is None:
                continue
            task, version, result = record["task"], record["task_version"], _result(record)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(path, f"is no entry ({type(error).__name__}: {error})") from error
        newer = version > versions.get(task, 0)
        if newer or (version == versions[task] and result.mean > found[task].mean):
            versions[task], found[task] = version, result
    return found


def _result(record: dict[str, Any]) -> Best:
    runs = record["runs"]
    reaches = all(run["metrics"]["success_rate"] is not None for run in runs)
    mean = _mean([run["metrics"]["success_rate" if reaches else "return_mean"] for run in runs])
    idle = _mean([run["idle_success_rate" if reaches else "idle_return_mean"] for run in runs])
    hours = _mean([run["train_wall_s"] for run in runs]) / 3600
    return Best(record["entry_id"], record["variant"], "success" if reaches else "return", mean, idle, hours)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
