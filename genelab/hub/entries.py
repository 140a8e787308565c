"""Entries by name, in the store and in a repository, and the record of where their copies lie."""

import fcntl
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from genelab.errors import InputError
from genelab.hub.client import Hub, Tree
from genelab.records import names
from genelab.records.artifact import ArtifactRecord, read_artifacts
from genelab.records.check import CheckedEntry, Finding, WeightsHash, check_entry
from genelab.records.entry import Artifact, EntryRecord
from genelab.records.files import parse_json, sha256_file, short_problem
from genelab.runs.files import disk_errors, write_atomic

READERS = 8
"""Requests at the same time."""


class Listed(NamedTuple):
    """An entry of a repository."""

    name: str
    """`TASK/ENTRY`, its folder."""
    record: EntryRecord | None
    """Its entry.json; None if this version of genelab cannot read it."""
    problem: str
    """Why not."""


def split(name: str) -> tuple[str, str]:
    """Task and entry of `TASK/ENTRY`. Raises InputError if it is none."""
    task, _, entry = name.partition("/")
    if not task or not entry or "/" in entry or task.startswith(".") or entry.startswith("."):
        raise InputError(f"'{name}': must be TASK/ENTRY, as `genelab reference list` and `genelab hub list` show")
    return task, entry


def local_entry(store: Path, name: str, weights_hash: WeightsHash | None = None) -> CheckedEntry:
    """An entry of the store, checked. Raises InputError if there is none, RunError if the check has findings."""
    task, entry_id = split(name)
    path = store / task / entry_id
    if not path.is_dir():
        raise InputError(f"'{store}' has no entry '{name}'")
    return clean(path, *check_entry(path, weights_hash))


def clean(path: Path, entry: CheckedEntry | None, findings: Sequence[Finding]) -> CheckedEntry:
    """The entry of a check without findings. Raises InputError with the first one, told from the entry's folder on."""
    if findings or entry is None:
        where, message = (findings[0].path, findings[0].message) if findings else (path, "holds no entry")
        told = f"{path.parent.name}/{path.name}"
        below = f"/{where.relative_to(path)}" if where != path else ""
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise InputError(f"{told}{below}: {message}{more}")
    return entry


Known = dict[tuple[str, str], Listed]
"""What was read before, by name and digest."""


def listed(hub: Hub, revision: str, tree: Tree, known: Known) -> list[Listed]:
    """The entries of a commit, sorted by name. What is read is added to `known`. Raises UnsureError."""
    digests = {
        path.removesuffix(f"/{names.ENTRY}"): file.digest
        for path, file in tree.items()
        if path.endswith(f"/{names.ENTRY}") and path.count("/") == 2
    }

    def read(name: str) -> None:
        path = f"{name}/{names.ENTRY}"
        # At once: where a later one fails, the next try has this one.
        known[name, digests[name]] = _parsed(name, hub.read(revision, path, tree[path]))

    missing = [name for name, digest in digests.items() if (name, digest) not in known]
    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(read, missing))
    return [known[entry] for entry in sorted(digests.items())]


def _parsed(name: str, data: bytes) -> Listed:
    try:
        parse_json(data)
        return Listed(name, EntryRecord.model_validate_json(data, strict=True), "")
    except ValidationError as error:
        return Listed(name, None, short_problem(error))
    except (ValueError, RecursionError):
        return Listed(name, None, "not valid JSON")


def record_artifact(store: Path, entry: CheckedEntry, hub: Hub, revision: str) -> None:
    """Add to the store's record where a copy of an entry lies, unless it names that place already."""
    record, path = entry.record, store / names.ARTIFACTS
    row = ArtifactRecord(
        schema="genelab/artifact/1",
        task=record.task,
        entry_id=record.entry_id,
        entry_sha256=sha256_file(entry.path / names.ENTRY),
        artifact=Artifact(
            repo_type=hub.kind, repo_id=hub.name, revision=revision, path=f"{record.task}/{record.entry_id}"
        ),
        recorded_at=datetime.now(UTC),
    )
    with disk_errors(path), (store / names.LOCK).open("a") as lock:
        # Held for a moment only, so that others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(_same_place(row, earlier) for earlier in read_artifacts(path)):
            return
        before = path.read_text() if path.is_file() else ""
        write_atomic(path, before + json.dumps(row.model_dump(mode="json")) + "\n")


def _same_place(a: ArtifactRecord, b: ArtifactRecord) -> bool:
    same = {"revision": ""}
    return a.entry_sha256 == b.entry_sha256 and a.artifact.model_copy(update=same) == b.artifact.model_copy(update=same)
