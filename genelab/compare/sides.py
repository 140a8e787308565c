"""Finds and reads what a side of a comparison names: an eval.json, a run, a sweep, or an entry of the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records import names
from genelab.records.check import MARKS, CheckedEntry, Finding, check_entry, check_run, check_sweep
from genelab.records.check.episodes import check_eval
from genelab.records.check.finding import attempt
from genelab.records.compare import SideKind
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from genelab.records.seed_files import SeedFiles
from genelab.records.sweep import SweepRecord
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir

KINDS: dict[str, SideKind] = {names.ENTRY: "entry", names.SWEEP: "sweep", names.RUN: "run"}
"""What a directory is, by the file that marks it."""


@dataclass(frozen=True)
class Side:
    """One side, read and checked."""

    given: str
    """As it was named."""
    kind: SideKind
    """What was found there."""
    evals: tuple[EvalRecord, ...]
    """One record for each seed that could be read, in the order planned."""
    seeds: tuple[SeedFiles, ...]
    """The files of those seeds; none for a single eval.json."""
    problems: tuple[str, ...]
    """What a check finds, missing seeds included."""

    @property
    def task(self) -> TaskSpec | None:
        """The task of the seeds' snapshot; None for a single eval.json."""
        return self.seeds[0].task if self.seeds else None


def load(given: str, store: Path) -> Side:
    """Read and check a side.

    Args:
        given: path of an eval.json, a run, a sweep or an entry, or `TASK/ENTRY` in the store.
        store: root of the store.

    Raises:
        InputError: if there is nothing of the kind.
    """
    path = _path(given, store)
    if path is None:
        raise InputError(f"'{given}' does not exist, and is no TASK/ENTRY of the store '{store}'")
    if path.is_file():
        found: list[Finding] = []
        record = attempt(found, path, read_record, EvalRecord)
        problems = [*map(str, found), *(f"{path}: {problem}" for problem in (check_eval(record) if record else ()))]
        return Side(given, "evaluation", (record,) if record else (), (), tuple(problems))
    mark = _mark(path)
    seeds, findings = _check(path, mark)
    return Side(given, KINDS[mark], tuple(seed.eval for seed in seeds), tuple(seeds), tuple(map(str, findings)))


def of_entry(entry: CheckedEntry) -> Side:
    """The side of an entry whose check had no findings, as `load` would read it."""
    evals, lost = tuple(seed.eval for seed in entry.seeds), tuple(map(str, _lost(entry)))
    return Side(str(entry.path), "entry", evals, entry.seeds, lost)


def task_of(given: str, store: Path) -> TaskSpec:
    """The configuration that a registered task, `TASK:VARIANT`, a run, a sweep or an entry stands for.

    Raises:
        InputError: if there is nothing of the kind.
    """
    path = _path(given, store)
    if path is None:
        task_id, _, variant = given.partition(":")
        try:
            return get_task(task_id, variant or None)
        except InputError as error:
            raise InputError(f"'{given}' is no path and no TASK/ENTRY of the store '{store}': {error}") from error
    if path.is_file():
        raise InputError(f"'{given}' is a file: name the directory of a run, a sweep or an entry")
    if _mark(path) == names.RUN:
        return RunDir(path).task()
    # A seed that was never launched has no directory; all that have one share the configuration.
    sweep = read_record(path / names.SWEEP, SweepRecord)
    runs = [RunDir(path / f"seed_{seed}") for seed in sweep.seeds_planned]
    made = next((run for run in runs if run.exists()), None)
    if made is None:
        raise InputError(f"'{given}' has no directory of any of its seeds")
    return made.task()


def _path(given: str, store: Path) -> Path | None:
    if Path(given).exists():
        return Path(given)
    # Not every folder of the store: the one of a task has its name.
    return store / given if (store / given / names.ENTRY).is_file() else None


def _mark(path: Path) -> str:
    mark = next((mark for mark in MARKS if (path / mark).is_file()), None)
    if mark is None:
        raise InputError(f"'{path}' is no run, sweep or entry: it has no {', '.join(MARKS)}")
    return mark


def _check(path: Path, mark: str) -> tuple[Sequence[SeedFiles], list[Finding]]:
    if mark == names.ENTRY:
        entry, findings = check_entry(path, None)
        if entry is None:
            return (), findings
        return entry.seeds, [*findings, *_lost(entry)]
    if mark == names.SWEEP:
        _, seeds, findings = check_sweep(path, None)
        return seeds, findings
    seed, findings = check_run(path, None)
    return (seed,) if seed else (), findings


def _lost(entry: CheckedEntry) -> list[Finding]:
    return [Finding(entry.path, f"seed {s.seed} is not finished: {s.state}") for s in entry.record.seeds.failed]
