"""Copies an entry from a repository into a store: every digest compared, then renamed into place."""

import shutil
import tempfile
from pathlib import Path

from genelab.errors import FileError, InputError
from genelab.hub.client import Hub, Tree
from genelab.hub.entries import clean, record_artifact, split
from genelab.records import names
from genelab.records.check import CheckedEntry, WeightsHash, check_entry
from genelab.records.entry import EntryRecord
from genelab.records.files import read_record, sha256_file
from genelab.runs.files import disk_errors
from genelab.runs.lock import locked


def pull_entry(hub: Hub, name: str, store: Path, weights_hash: WeightsHash) -> tuple[Path, bool]:
    """Copy an entry `TASK/ENTRY` into a store, and record where it came from.

    Returns:
        Its folder, and whether it was copied: False if the store had it already.

    Raises:
        InputError: if the repository has no such entry or one that is not as it claims, or the store has another one
            of its name.
        RunError: if the Hub fails for too long, or the disk is full. Nothing is left of the entry then.
    """
    task, entry_id = split(name)
    target = store / task / entry_id
    revision, tree = at_head(hub, name)
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    # Whoever adds to the task removes the drafts of those that do not hold its lock.
    with locked(target.parent):
        copied = not target.exists()
        if copied:
            with disk_errors(target):
                # Of killed processes: the lock is ours.
                for leftover in target.parent.glob(f"{names.DRAFT}*"):
                    shutil.rmtree(leftover)
                draft = Path(tempfile.mkdtemp(prefix=names.DRAFT, dir=target.parent))
                try:
                    download(hub, revision, tree, name, draft, weights_hash).path.rename(target)
                finally:
                    shutil.rmtree(draft, ignore_errors=True)
        entry = clean(target, *check_entry(target, None))
        there = tree[f"{name}/{names.ENTRY}"]
        if not there.holds((target / names.ENTRY).read_bytes()):
            raise InputError(f"entry '{target}' exists and is another one than that of {hub}: the store is append-only")
    record_artifact(store, entry, hub, revision)
    return target, copied


def at_head(hub: Hub, name: str) -> tuple[str, Tree]:
    """The newest commit and its tree. Raises InputError if it has no entry of this name."""

    def look() -> tuple[str, Tree]:
        head = hub.head()
        return head, hub.tree(head)

    revision, tree = hub.patiently(look)
    if f"{name}/{names.ENTRY}" not in tree:
        told = f"{hub} has no entry '{name}' at its newest commit {revision[:12]}"
        raise InputError(f"{told}; `genelab hub list` shows those that it has")
    return revision, tree


def download(hub: Hub, revision: str, tree: Tree, name: str, folder: Path, weights_hash: WeightsHash) -> CheckedEntry:
    """Copy an entry of a commit into `folder/TASK/ENTRY` and check it, weights included. Nothing is unpickled.

    Raises:
        InputError: if it is not as its entry.json claims.
        RunError: if the Hub fails for too long.
    """
    path = folder / name

    def fetch(file: str) -> None:
        remote = f"{name}/{file}"
        data = hub.patiently(lambda: hub.read(revision, remote, tree[remote]))
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_bytes(data)

    fetch(names.ENTRY)
    try:
        record = read_record(path / names.ENTRY, EntryRecord)
    except FileError as error:
        raise InputError(f"{hub}: {name}/{names.ENTRY}: {error.problem}") from error
    claimed = {file.path: file for file in record.files}
    present = {p.removeprefix(f"{name}/") for p in tree if p.startswith(f"{name}/")} - {names.ENTRY}
    for file in sorted(claimed.keys() | present):
        if file not in present:
            raise InputError(f"{hub}: {name}/{file}: missing, entry.json lists it")
        if file not in claimed:
            raise InputError(f"{hub}: {name}/{file}: is not listed in entry.json")
        # Before anything large is asked for.
        if tree[f"{name}/{file}"].size != claimed[file].bytes:
            size = tree[f"{name}/{file}"].size
            raise InputError(f"{hub}: {name}/{file}: has {size} bytes, entry.json says {claimed[file].bytes}")
    for file in sorted(claimed):
        fetch(file)
        if (found := sha256_file(path / file)) != claimed[file].sha256:
            raise InputError(f"{hub}: {name}/{file}: its sha256 is {found}, entry.json says {claimed[file].sha256}")
    try:
        return clean(path, *check_entry(path, weights_hash))
    except InputError as error:
        raise InputError(f"{hub}: {error}") from error
