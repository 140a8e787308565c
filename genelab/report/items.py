"""Finds, reads and checks what a report is about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genelab.compare.sides import KINDS, Side
from genelab.errors import FileError, InputError
from genelab.publish.store import newest_first, sources_of
from genelab.records import names
from genelab.records.build_entry import build_entry, file_ref
from genelab.records.check import CheckedEntry, Finding, check_entry, check_run, check_sweep, find_records
from genelab.records.compare import SideKind
from genelab.records.entry import EntryHeader
from genelab.records.files import read_json
from genelab.records.seed_files import SeedFiles
from genelab.records.sweep import SeedEntry, SweepRecord


@dataclass(frozen=True)
class Item:
    """A set of seeds: an entry, a sweep or a run."""

    label: str
    """What it is called beside others of its task."""
    path: Path
    kind: SideKind
    task: str
    """Task identifier; of records too broken to tell it, the name of a directory."""
    entry: CheckedEntry | None
    """What the check found in order; what an entry would hold, of a sweep or a run. None without a result."""
    problems: tuple[str, ...]
    """Why there is none."""
    broken: bool
    """Whether the check found something wrong; otherwise no seed is finished yet."""

    @property
    def side(self) -> Side:
        """The same as a side of a comparison."""
        if self.entry is None:
            return Side(self.label, self.kind, (), (), self.problems)
        seeds, failed = self.entry.seeds, self.entry.record.seeds.failed
        lost = tuple(f"seed {seed.seed} is not finished: {seed.state}" for seed in failed)
        return Side(self.label, self.kind, tuple(seed.eval for seed in seeds), seeds, lost)


def is_campaign(path: Path) -> bool:
    """Whether a path is the directory of a campaign."""
    return (path / names.CAMPAIGN).is_file()


def read_items(given: Sequence[str], store: Path) -> list[Item]:
    """Read and check every entry, sweep and run that is named: by task, and of each the newest first, broken ones last.

    Args:
        given: entries, sweeps, runs or trees of them; or TASK/ENTRY of the store.
        store: root of the store.

    Raises:
        InputError: if something does not exist, or holds no record.
    """
    found = {path.resolve(): (path, mark) for name in given for path, mark in _records(name, store)}
    items = [_read(path, mark) for path, mark in found.values()]
    # The same name in two stores tells nothing.
    seen = [(item.task, item.label) for item in items]
    items = [
        item if seen.count(key) == 1 else replace(item, label=str(item.path))
        for item, key in zip(items, seen, strict=True)
    ]
    entries = newest_first([item.entry for item in items if item.entry])
    order = {id(entry): k for k, entry in enumerate(entries)}
    return sorted(items, key=lambda item: (item.task, order.get(id(item.entry), len(order))))


def _records(given: str, store: Path) -> Iterator[tuple[Path, str]]:
    path = Path(given) if Path(given).exists() else store / given
    if not path.is_dir():
        raise InputError(f"'{given}' is no directory, and no TASK/ENTRY of the store '{store}'")
    found, _ = find_records(path)
    if not found:
        raise InputError(f"'{given}' holds no entry, sweep or run: no {names.ENTRY}, {names.SWEEP} or {names.RUN}")
    yield from found.items()


def _read(path: Path, mark: str) -> Item:
    kind = KINDS[mark]
    if kind == "entry":
        entry, findings = check_entry(path, None)
        label, home = path.resolve().name, path.resolve().parent.name
    else:
        sweep, seeds, findings = check_sweep(path, None) if kind == "sweep" else _one_seed(path)
        entry = _unpublished(path, kind, sweep, seeds) if sweep and seeds else None
        label = home = str(path)
    wrong = [finding for finding in findings if not finding.missing_seed]
    # Never numbers of what is not as claimed.
    sound = entry if not wrong and entry and entry.seeds else None
    return Item(label, path, kind, _task(path / mark, home), sound, tuple(map(str, wrong or findings)), bool(wrong))


def _one_seed(path: Path) -> tuple[SweepRecord | None, Sequence[SeedFiles], list[Finding]]:
    """A run as a sweep of its seed alone."""
    seed, findings = check_run(path, None)
    if seed is None:
        return None, (), findings
    run = seed.run
    sweep = SweepRecord(
        schema="genelab/sweep/2",
        task=run.task,
        task_version=run.task_version,
        config_sha256=run.config_sha256,
        execution=run.execution.requested,
        command=run.command,
        seeds=(SeedEntry(seed=run.seed, state="finished", attempts=max(1, len(run.attempts))),),
        created_at=run.launched_at,
        updated_at=seed.eval.finished_at,
    )
    return sweep, (seed,), findings


def _unpublished(path: Path, kind: SideKind, sweep: SweepRecord, seeds: Sequence[SeedFiles]) -> CheckedEntry:
    """The entry that a sweep would make, with the files that it would publish."""
    header = EntryHeader(
        entry_id="unpublished", supersedes=None, reason=None, artifact=None, created_at=sweep.updated_at, publisher=None
    )
    folder = path if kind == "sweep" else path.resolve().parent
    published = [name for name in sources_of(folder, seeds) if kind == "sweep" or name != names.SWEEP]
    files = tuple(file_ref(folder, name) for name in published if (folder / name).is_file())
    return CheckedEntry(path, build_entry(header, sweep, seeds, files), tuple(seeds))


def _task(record: Path, home: str) -> str:
    """The task that a record names, whatever else is wrong with it."""
    try:
        told = read_json(record)
    except FileError:
        return home
    task = told.get("task") if isinstance(told, dict) else None
    return task if isinstance(task, str) else home
