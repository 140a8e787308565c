"""Check of artifacts.jsonl against the entries beside it."""

from pathlib import Path

from genelab.records import names
from genelab.records.artifact import read_artifacts
from genelab.records.check.finding import Finding, attempt
from genelab.records.files import sha256_file


def check_artifacts(store: Path) -> list[Finding]:
    """Check where hosted copies are said to lie. Whether they do, `genelab hub verify` tells."""
    findings: list[Finding] = []
    path = store / names.ARTIFACTS
    for row in attempt(findings, path, read_artifacts) or []:
        entry = store / row.task / row.entry_id / names.ENTRY
        place = f"{row.artifact.repo_id} {row.artifact.revision[:12]}"
        if row.artifact.path != f"{row.task}/{row.entry_id}":
            findings.append(Finding(path, f"{place}: path '{row.artifact.path}' is not {row.task}/{row.entry_id}"))
        if not entry.is_file():
            findings.append(Finding(path, f"{place}: the store has no entry {row.task}/{row.entry_id}"))
        elif (found := attempt(findings, entry, sha256_file)) not in (None, row.entry_sha256):
            findings.append(Finding(path, f"{place}: entry_sha256 is {row.entry_sha256}, {entry} has {found}"))
    return findings
