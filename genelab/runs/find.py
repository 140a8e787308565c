"""Finds the policy that a user means: a checkpoint, a run, a sweep, or a published entry by its name."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from genelab.config.places import STORE
from genelab.errors import InputError
from genelab.records import names
from genelab.records.entry import EntryRecord
from genelab.records.files import read_record
from genelab.runs.run_dir import RunDir


@dataclass(frozen=True)
class Found:
    """A checkpoint in the directory of its run."""

    run_dir: RunDir
    checkpoint: Path


def find_policy(name: str | Path, store: Path = STORE) -> Found:
    """The checkpoint that a name stands for, and its run.

    Args:
        name: a checkpoint, or a link to one; the directory of a seed, for its final checkpoint; a directory with
            seeds, if it holds one; or an entry of the store as `TASK/ENTRY/seed_N`, where everything that is clear
            without may be left out. `TASK` alone is its newest entry, and of that the first seed. What is there as a
            path is no name of an entry.
        store: root of the store.

    Raises:
        InputError: if there is no such thing, it holds several seeds, or its checkpoint is not there.
    """
    path = Path(name)
    if path.is_file():
        return _around(path)
    folder = path if path.is_dir() else _published(str(name), store)
    if folder is None:
        raise InputError(f"checkpoint '{name}' does not exist: no file, no run directory and no entry in '{store}'")
    run_dir = _only_seed(folder)
    final = run_dir.final_checkpoint
    if not final.is_file():
        raise InputError(f"'{run_dir.path}' has no {final.name}: {run_dir.load().status}; name one of its checkpoints")
    return Found(run_dir, final)


def is_published(name: str, store: Path = STORE) -> bool:
    """Whether a name stands for an entry of the store. Raises InputError if it stands for several."""
    return _published(name, store) is not None


def find_export(name: str | Path, store: Path = STORE) -> Path:
    """The exported policy that a name stands for: a file, or that of a run as for `find_policy`.

    Raises:
        InputError: as `find_policy`, or if the run has none.
    """
    path = Path(name)
    folder = path if path.is_dir() else None if path.is_file() else _published(str(name), store)
    if folder is None:
        # Whether it is one is told where it is read.
        return path
    run_dir = _only_seed(folder)
    if not run_dir.policy_file.is_file():
        raise InputError(
            f"'{run_dir.path}' has no {names.POLICY}; write one elsewhere with `genelab export`, and name it"
        )
    return run_dir.policy_file


def find_guard(folder: Path) -> Path:
    """The directory of a guard: itself, or the only one in the directory of a seed.

    Raises:
        InputError: if a seed has several.
    """
    found = sorted(path.parent for path in (folder / names.GUARD).glob(f"*/{names.FAULT}"))
    if len(found) > 1:
        raise InputError(f"'{folder}' holds {len(found)} faults: name one of {', '.join(map(str, found))}")
    return found[0] if found else folder


def _around(file: Path) -> Found:
    """The run of a checkpoint, which is where the file is named or where it is a link to."""
    named = file
    while not RunDir(file.parent).exists():
        if not file.is_symlink():
            raise InputError(f"checkpoint '{named}' has no run.json beside it to say what it was trained on")
        file = file.parent / file.readlink()
    return Found(RunDir(file.parent), file)


def _only_seed(folder: Path) -> RunDir:
    if (run_dir := RunDir(folder)).exists():
        return run_dir
    seeds = _seeds(folder)
    if not seeds:
        raise InputError(f"'{folder}' holds no run: it has no {names.RUN}, and no seed_<N> with one")
    if len(seeds) > 1:
        raise InputError(f"'{folder}' holds several seeds: name one of {', '.join(str(seed.path) for seed in seeds)}")
    return seeds[0]


def _seeds(folder: Path) -> list[RunDir]:
    """The seeds of a sweep or entry, by number."""
    numbered = {path: re.fullmatch(r"seed_(\d+)", path.name) for path in folder.iterdir()}
    found = sorted((int(match[1]), path) for path, match in numbered.items() if match)
    return [run_dir for _, path in found if (run_dir := RunDir(path)).exists()]


def _published(name: str, store: Path) -> Path | None:
    """The directory that a name stands for in the store: an entry, or one of its seeds; None if there is none."""
    *wanted, last = name.strip("/").split("/")
    seed = last if re.fullmatch(r"seed_\d+", last) else None
    wanted += [] if seed else [last]
    if not 1 <= len(wanted) <= 2:
        return None
    entries = [path.parent for path in sorted(store.glob(f"[!.]*/[!.]*/{names.ENTRY}"))]
    found = [entry for entry in entries if entry.name == wanted[-1]]
    if len(wanted) == 2:
        found = [entry for entry in found if _is_of(wanted[0], entry)]
    of_task = [] if found or len(wanted) == 2 else [entry for entry in entries if _is_of(wanted[0], entry)]
    if of_task:
        found = [max(of_task, key=_standing)]
    if len(found) > 1:
        raise InputError(f"'{name}' names several entries: {', '.join(map(str, found))}")
    if not found:
        return None
    if seed is None:
        seeds = _seeds(found[0]) if of_task else []
        return seeds[0].path if seeds else found[0]
    if not (found[0] / seed).is_dir():
        raise InputError(f"'{found[0]}' has no {seed}; it has {', '.join(s.path.name for s in _seeds(found[0]))}")
    return found[0] / seed


def _is_of(task: str, entry: Path) -> bool:
    return entry.parent.name.casefold() == task.casefold()


def _standing(entry: Path) -> tuple[bool, datetime]:
    """The entry that stands for its task has the largest: whole ones before previews, then the newest."""
    record = read_record(entry / names.ENTRY, EntryRecord)
    return record.status == "reference", record.created_at
