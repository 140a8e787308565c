"""Check of a reference entry: the seeds beside entry.json, every file's hash, and everything derived from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genelab.records import names
from genelab.records.build_entry import build_entry, list_files
from genelab.records.check.finding import Finding, attempt, unequal
from genelab.records.check.run import WeightsHash
from genelab.records.check.seeds import check_sweep
from genelab.records.entry import EntryHeader, EntryRecord, FileRef
from genelab.records.files import read_record
from genelab.records.seed_files import SeedFiles


@dataclass(frozen=True)
class CheckedEntry:
    """An entry and the seeds it was derived from."""

    path: Path
    """Directory of the entry."""
    record: EntryRecord
    """entry.json."""
    seeds: tuple[SeedFiles, ...]
    """Finished seeds, in the order planned."""


def check_entry(path: Path, weights_hash: WeightsHash | None) -> tuple[CheckedEntry | None, list[Finding]]:
    """Check a directory with an entry.json. Seeds that the entry itself declares as failed are no finding."""
    entry_file = path / names.ENTRY
    findings: list[Finding] = []
    entry = attempt(findings, entry_file, read_record, EntryRecord)
    sweep, seeds, problems = check_sweep(path, weights_hash)
    findings += [problem for problem in problems if not problem.missing_seed]
    if entry is None:
        return None, findings
    if path.resolve().name != entry.entry_id or path.resolve().parent.name != entry.task:
        findings.append(Finding(entry_file, f"belongs in {entry.task}/{entry.entry_id}"))
    present = attempt(findings, path, list_files)
    if present is not None:
        findings += _check_files(path, entry, present)
    if sweep and seeds:
        header = EntryHeader(**{name: getattr(entry, name) for name in EntryHeader.model_fields})
        files = entry.files if present is None else present
        recomputed = build_entry(header, sweep, seeds, files)
        # Files have findings of their own, which say more.
        texts = unequal(entry.model_copy(update={"files": files}), recomputed, "entry")
        findings += [Finding(entry_file, text) for text in texts]
    return CheckedEntry(path, entry, tuple(seeds)), findings


def _check_files(path: Path, entry: EntryRecord, files: Sequence[FileRef]) -> list[Finding]:
    claimed = {file.path: file for file in entry.files}
    present = {file.path: file for file in files}
    findings: list[Finding] = []
    if [file.path for file in entry.files] != sorted(claimed):
        findings.append(Finding(path / names.ENTRY, "files: not sorted by path, each once"))
    findings += [Finding(path / name, "missing") for name in claimed.keys() - present.keys()]
    findings += [Finding(path / name, "is not listed in entry.json") for name in present.keys() - claimed.keys()]
    findings += [
        Finding(path / name, f"is not the recorded file: its sha256 is {present[name].sha256}, not {file.sha256}")
        for name, file in claimed.items()
        if name in present and present[name] != file
    ]
    return sorted(findings)
