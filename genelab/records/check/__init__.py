"""`genelab check`: recompute what a record claims, from its own files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from genelab.errors import InputError
from genelab.records import names
from genelab.records.check.artifacts import check_artifacts
from genelab.records.check.entry import CheckedEntry, check_entry
from genelab.records.check.episodes import check_eval
from genelab.records.check.finding import Finding, attempt
from genelab.records.check.run import WeightsHash, check_checkpoint, check_run
from genelab.records.check.seeds import check_sweep
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record

__all__ = [
    "CheckedEntry",
    "Finding",
    "Report",
    "WeightsHash",
    "check_entry",
    "check_path",
    "check_run",
    "check_sweep",
]

MARKS = (names.ENTRY, names.SWEEP, names.RUN)
"""Files that say what a directory is, the outermost first."""


class Report(NamedTuple):
    """Outcome of a check."""

    summaries: list[str]
    """One line on each thing that was found in order."""
    findings: list[Finding]
    """What was not."""


def check_path(path: Path, weights_hash: WeightsHash | None = None) -> Report:
    """Check an eval.json, an artifacts.jsonl, a run, sweep or entry directory, or a tree of them: a store, say.

    Args:
        path: file or directory.
        weights_hash: digest of the tensors in a checkpoint file; None leaves `weights_sha256` unchecked.

    Raises:
        InputError: if the path does not exist or holds no record.
    """
    if not path.exists():
        raise InputError(f"'{path}' does not exist")
    if path.is_file():
        if path.name == names.ARTIFACTS:
            findings = check_artifacts(path.parent)
            return Report([] if findings else [f"{path}: names entries beside it"], findings)
        return _check_file(path, weights_hash)
    folders, findings = find_records(path)
    if not folders and not findings:
        raise InputError(f"'{path}' holds no record: no {', '.join(MARKS)} or {names.EVAL}")
    report = Report([], findings)
    if (path / names.ARTIFACTS).is_file():
        report.findings.extend(check_artifacts(path))
    entries = {folder for folder, mark in folders.items() if mark == names.ENTRY}
    for folder, mark in folders.items():
        if entries and mark != names.ENTRY:
            report.findings.append(Finding(folder, f"has no {names.ENTRY}, the others here have"))
        summary, findings = _check_folder(folder, mark, weights_hash)
        report.findings.extend(findings)
        if not findings:
            report.summaries.append(f"{folder}: {summary}")
    return report


def find_records(path: Path) -> tuple[dict[Path, str], list[Finding]]:
    """Outermost record directories at or below `path` with their mark.

    The findings are eval.json files outside of them, and directories that cannot be read.
    """
    folders: dict[Path, str] = {}
    findings: list[Finding] = []

    def unreadable(error: OSError) -> None:
        findings.append(Finding(Path(error.filename), f"unreadable: {error.strerror}"))

    for root, below, files in os.walk(path, onerror=unreadable):
        mark = next((mark for mark in MARKS if mark in files), None)
        if mark:
            folders[Path(root)] = mark
            below.clear()
        elif names.EVAL in files:
            findings.append(Finding(Path(root, names.EVAL), "lies outside any run directory"))
        # A draft is no entry yet, and one that a killed process left will never be.
        below[:] = sorted(name for name in below if not name.startswith(names.DRAFT))
    return folders, findings


def _check_folder(folder: Path, mark: str, weights_hash: WeightsHash | None) -> tuple[str, list[Finding]]:
    if mark == names.ENTRY:
        entry, findings = check_entry(folder, weights_hash)
        seeds, planned = (entry.seeds, len(entry.record.seeds.planned)) if entry else ((), 0)
    elif mark == names.SWEEP:
        sweep, found, findings = check_sweep(folder, weights_hash)
        seeds, planned = tuple(found), len(sweep.seeds) if sweep else 0
    else:
        run, findings = check_run(folder, weights_hash)
        seeds, planned = (run,) if run else (), 1
    if not seeds:
        return "nothing could be read", findings
    episodes = sum(len(seed.eval.episodes.index) for seed in seeds)
    task, config = seeds[0].run.task, seeds[0].run.config_sha256[:12]
    return f"{task}, {len(seeds)}/{planned} seeds, {episodes} episodes, config {config}", findings


def _check_file(path: Path, weights_hash: WeightsHash | None) -> Report:
    findings: list[Finding] = []
    record = attempt(findings, path, read_record, EvalRecord)
    if record is None:
        return Report([], findings)
    findings += [Finding(path, problem) for problem in check_eval(record)]
    findings += check_checkpoint(path.parent, record.checkpoint, weights_hash, required=False)
    summary = f"{path}: {record.run.task}, seed {record.run.seed}, {len(record.episodes.index)} episodes"
    return Report([] if findings else [summary], findings)


def check_paths(paths: Sequence[Path], weights_hash: WeightsHash | None = None) -> Report:
    """Check several paths. Raises InputError as `check_path`, before any is checked."""
    for path in paths:
        if not path.exists():
            raise InputError(f"'{path}' does not exist")
    reports = [check_path(path, weights_hash) for path in paths]
    return Report([s for r in reports for s in r.summaries], [f for r in reports for f in r.findings])
