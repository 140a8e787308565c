"""Check of exported policies: each contract against the seeds, and against the file beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genelab.records.check.finding import Finding, attempt
from genelab.records.export import ExportRecord
from genelab.records.files import read_record, sha256_file
from genelab.records.seed_files import SeedFiles

_SUFFIX = ".metadata.json"


def check_policy(folder: Path, seeds: Sequence[SeedFiles]) -> list[Finding]:
    """Check every `<policy>.metadata.json` below `folder`. seeds: those that the policies may come from."""
    findings: list[Finding] = []
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        if record := attempt(findings, path, read_record, ExportRecord):
            findings += [Finding(path, problem) for problem in _problems(path, record, seeds)]
    return findings


def _problems(path: Path, record: ExportRecord, seeds: Sequence[SeedFiles]) -> Iterator[str]:
    if not record.parity.passed:
        yield "parity.passed: False"
    model = path.with_name(path.name.removesuffix(_SUFFIX))
    if record.file.name != model.name:
        yield f"file.name: '{record.file.name}' does not belong to this file"
    elif not model.is_file():
        yield f"'{model.name}' is missing"
    elif sha256_file(model) != record.file.sha256:
        yield f"file.sha256: {record.file.sha256}, '{model.name}' has {sha256_file(model)}"
    seed = next((seed for seed in seeds if seed.run.seed == record.seed), None)
    if seed is None:
        yield f"seed: {record.seed} is no finished seed here"
        return
    trained = seed.eval.checkpoint
    pairs: dict[str, tuple[Any, Any]] = {
        "config_sha256": (record.config_sha256, seed.run.config_sha256),
        "checkpoint.sha256": (record.checkpoint.sha256, trained.sha256),
        "checkpoint.weights_sha256": (record.checkpoint.weights_sha256, trained.weights_sha256),
    }
    for name, (claimed, stored) in pairs.items():
        if claimed != stored:
            yield f"{name}: {claimed}, seed {record.seed} has {stored}"
