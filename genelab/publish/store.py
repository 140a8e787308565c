"""The reference store: checked sweeps copied to `<store>/<task>/<entry>/`, append-only."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from genelab.config.snapshot import first_problem
from genelab.errors import InputError, RunError
from genelab.records import names
from genelab.records.build_entry import build_entry, list_files
from genelab.records.check import CheckedEntry, Finding, check_entry, check_sweep
from genelab.records.entry import EntryHeader, EntryRecord
from genelab.records.files import sha256_file
from genelab.records.seed_files import SeedFiles
from genelab.runs.files import disk_errors, write_record
from genelab.runs.lock import locked

UPSTREAM = "upstream"
"""Folder of the store that holds other people's published numbers, not entries."""
SEED_FILES = (names.EVAL, names.RUN, names.CURVE, *(f"{names.PARAMS}/{part}.json" for part in names.PARTS))
"""What an entry keeps of every seed, besides its checkpoint."""


def add_entry(
    sweep_dir: Path,
    entry_id: str,
    store: Path,
    *,
    allow_missing: bool = False,
    reason: str | None = None,
    publisher: str | None = None,
) -> Path:
    """Copy a checked sweep into the store and return the entry's directory. Nothing is ever overwritten.

    Adding the same again, say after a kill at the very end, changes nothing.

    Args:
        sweep_dir: directory with a sweep.json.
        entry_id: name of the entry.
        store: root of the store.
        allow_missing: publish a set whose failed seeds are declared; it gets no mean.
        reason: why it was added.
        publisher: who added it.

    Raises:
        InputError: if another process adds to this task, there is no sweep, the name is no entry name, or there is
            another entry of this name.
        RunError: if the check of the sweep has findings, no seed finished, or a file names a path of this
            machine.
    """
    if not (sweep_dir / names.SWEEP).is_file():
        raise InputError(f"'{sweep_dir}' is no sweep directory: it has no {names.SWEEP}")
    header = _header(entry_id, reason, publisher)
    sweep, seeds, findings = check_sweep(sweep_dir, None)
    _require_clean(sweep_dir, findings, allow_missing=allow_missing)
    if sweep is None or not seeds:
        raise RunError(f"'{sweep_dir}': no seed finished")
    target = store / sweep.task / entry_id
    sources = sources_of(sweep_dir, seeds)
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    # Two at a time would both supersede the same entry.
    with locked(target.parent):
        earlier = [entry.record for entry in load_store(store) if entry.record.task == sweep.task]
        if not target.exists():
            header = header.replace(supersedes=earlier[0].entry_id if earlier else None, created_at=datetime.now(UTC))
            _publish(target, header, sources, sweep_dir, allow_missing=allow_missing)
        elif not any(_is_same(record, header, sources) for record in earlier):
            raise InputError(f"entry '{target}' exists, and the store is append-only: choose another name")
    return target


def _publish(
    target: Path, header: EntryHeader, sources: dict[str, Path], sweep_dir: Path, *, allow_missing: bool
) -> None:
    """Copy, check and record the files in a draft, and rename it. The caller holds the lock."""
    with disk_errors(target):
        # Of killed processes: the lock is ours.
        for leftover in target.parent.glob(f"{names.DRAFT}*"):
            shutil.rmtree(leftover)
        draft = Path(tempfile.mkdtemp(prefix=names.DRAFT, dir=target.parent))
        try:
            _copy(sources, draft)
            _require_portable(draft)
            sweep, seeds, findings = check_sweep(draft, None)
            _require_clean(sweep_dir, findings, allow_missing=allow_missing)
            if sweep is None:
                raise RunError(f"'{sweep_dir}' changed while it was copied")
            write_record(draft / names.ENTRY, build_entry(header, sweep, seeds, list_files(draft)))
            draft.chmod(0o755)
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def load_store(store: Path) -> list[CheckedEntry]:
    """Every entry, checked: by task, the newest first.

    Raises:
        RunError: if the check of any entry has findings; names the first.
    """
    entries: list[CheckedEntry] = []
    for path in _entry_folders(store):
        entry, findings = check_entry(path, None)
        _require_clean(path, findings, allow_missing=False)
        if entry:
            entries.append(entry)
    return newest_first(entries)


def newest_first(entries: Sequence[CheckedEntry]) -> list[CheckedEntry]:
    """By task, then by time of creation, but never behind what an entry supersedes: a clock may jump back."""
    record_of = {(entry.record.task, entry.record.entry_id): entry.record for entry in entries}
    ages: dict[tuple[str, str], tuple[datetime, int]] = {}

    def age(entry: CheckedEntry) -> tuple[datetime, int, str]:
        """The latest time of creation among the entry and those that it supersedes in turn, and their number."""
        key: tuple[str, str] | None = (entry.record.task, entry.record.entry_id)
        chain: dict[tuple[str, str], EntryRecord] = {}
        while key in record_of and key not in ages and key not in chain:
            chain[key] = record_of[key]
            key = (chain[key].task, chain[key].supersedes or "")
        latest, depth = ages.get(key, (None, -1))
        for key, record in reversed(chain.items()):
            latest = record.created_at if latest is None else max(latest, record.created_at)
            ages[key] = latest, (depth := depth + 1)
        return *ages[entry.record.task, entry.record.entry_id], entry.record.entry_id

    return sorted(sorted(entries, key=age, reverse=True), key=lambda entry: entry.record.task)


def _entry_folders(store: Path) -> list[Path]:
    tasks = [path for path in store.iterdir() if path.name != UPSTREAM] if store.is_dir() else []
    folders = (path for task in tasks if task.is_dir() for path in task.iterdir())
    # A draft of another process is no entry yet.
    return sorted(path for path in folders if path.is_dir() and not path.name.startswith("."))


def _header(entry_id: str, reason: str | None, publisher: str | None) -> EntryHeader:
    try:
        return EntryHeader(
            entry_id=entry_id,
            supersedes=None,
            reason=reason,
            artifact=None,
            created_at=datetime.now(UTC),
            publisher=publisher,
        )
    except ValidationError as error:
        raise InputError(first_problem(error)) from error


def _require_clean(path: Path, findings: Sequence[Finding], *, allow_missing: bool) -> None:
    serious = [finding for finding in findings if not (allow_missing and finding.missing_seed)]
    if serious:
        more = f" (and {len(serious) - 1} more: genelab check {path})" if len(serious) > 1 else ""
        raise RunError(f"{serious[0]}{more}")


def _is_same(record: EntryRecord, header: EntryHeader, sources: dict[str, Path]) -> bool:
    """Whether an entry, which is checked, is what adding these files would make."""
    said = ("entry_id", "reason", "publisher")
    if any(getattr(record, name) != getattr(header, name) for name in said):
        return False
    return {file.path: file.sha256 for file in record.files} == {n: sha256_file(p) for n, p in sources.items()}


def sources_of(sweep_dir: Path, seeds: Sequence[SeedFiles]) -> dict[str, Path]:
    """The files to publish, by their path in the entry."""
    copied = [names.SWEEP]
    for seed in seeds:
        copied += [f"{seed.path.name}/{name}" for name in (*SEED_FILES, seed.eval.checkpoint.path)]
        copied += [f"{seed.path.name}/{names.PROBE}"] * (seed.probe is not None)
        judged = (names.SIM2SIM, names.POLICY, f"{names.POLICY}.metadata.json") if seed.sim2sim else ()
        copied += [f"{seed.path.name}/{name}" for name in judged]
        # A run from elsewhere may have no round trip; then its policy cannot be exported. Not every machine can film.
        optional = (names.PROBE_PLOT, names.FILM, names.ROUND_TRIP)
        copied += [f"{seed.path.name}/{name}" for name in optional if (sweep_dir / seed.path.name / name).is_file()]
    return {name: sweep_dir / name for name in copied}


def _copy(sources: dict[str, Path], draft: Path) -> None:
    for name, source in sources.items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        # Contents only: the modes of a run directory are the user's business.
        shutil.copyfile(source, draft / name)


def _require_portable(draft: Path) -> None:
    """Refuse text files that name a directory of this machine: it tells strangers nothing and us too much."""
    places = {str(Path(place).resolve()) for place in (Path.home(), Path.cwd(), sys.prefix, tempfile.gettempdir())}
    for path in sorted(draft.rglob("*.json*")):
        text = path.read_text(errors="replace")
        for place in places - {"/"}:
            if f'"{place}' in text or f"={place}" in text:
                raise RunError(f"{path.relative_to(draft)}: names '{place}...' of this machine; use relative paths")
