"""Files that are whole or not there: atomic writes, and disk trouble told in one line."""

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genelab.errors import GenelabError, InputError, RunError
from genelab.records import names
from genelab.records.base import Record

TEMPORARIES = ".*.[0-9]*.tmp"
"""What an atomic write leaves if its process is killed."""
FREE_BYTES = 2**30
"""Less free space than that is too little to train: a seed with its states takes tens to hundreds of MB."""

_FULL = {errno.ENOSPC: "no space left", errno.EDQUOT: "disk quota exceeded", errno.EFBIG: "file size limit exceeded"}
_REFUSED = {
    errno.EROFS: "file system is read-only",
    errno.EISDIR: "it is a directory",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.ENOENT: "a part of the path does not exist and cannot be made",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "too many symbolic links",
    # flock on a network file system without a lock service.
    **dict.fromkeys((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS), "its file system gives no locks; use a local one"),
}


def disk_error(error: OSError, path: Path) -> GenelabError | None:
    """What to tell the user about a failed write to `path`; None if the error is not about the disk."""
    if error.errno in _FULL:
        return RunError(f"cannot write '{path}': {_FULL[error.errno]}")
    if error.errno in _REFUSED:
        return InputError(f"cannot write '{path}': {_REFUSED[error.errno]}")
    return None


@contextmanager
def disk_errors(path: Path) -> Generator[None]:
    """Turn a full or read-only disk met while writing `path` into one clear line.

    Raises:
        RunError: no space, quota or size limit reached.
        InputError: read-only file system, missing permission, or a path through a file.
    """
    try:
        yield
    except OSError as error:
        told = disk_error(error, path)
        if told is None:
            raise
        raise told from error


@contextmanager
def atomic_path(path: Path) -> Generator[Path]:
    """Yield an empty temporary file beside `path`; on success it is synced and renamed to `path`, otherwise removed.

    Readers see the old file or the new one, never a part; on failure the old file is intact. What killed writers of the
    same file left is removed.

    Raises:
        RunError, InputError: as `disk_errors`.
    """
    with disk_errors(path):
        for leftover in _temporaries(path.parent, f".{path.name}."):
            _remove_unless_locked(leftover)
        temporary, descriptor = _create_temporary(path)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)
        _sync(path.parent)


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a whole file atomically. Text is stored as UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: Path, value: Any) -> None:
    """Write plain JSON data atomically, indented. Raises ValueError on NaN or infinity."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n")


def write_record(path: Path, record: Record) -> None:
    """Write a record atomically."""
    write_json(path, record.model_dump(mode="json"))


def remove_temporaries(*folders: Path) -> None:
    """Remove what atomic writes of killed processes left in these folders."""
    for folder in folders:
        for leftover in _temporaries(folder, "."):
            _remove_unless_locked(leftover)


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process, without waiting; False if another process holds it.

    The kernel drops the lock when the descriptor is closed, and so with its process. Raises OSError where the file
    system gives no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def require_writable(folder: Path) -> None:
    """Check that `folder` can be written or created, without touching anything.

    Raises:
        InputError: if it, or its nearest existing parent, is no directory or not writable.
    """
    existing = folder
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir():
        raise InputError(f"cannot write to '{folder}': '{existing}' is not a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"cannot write to '{folder}': '{existing}' is read-only")


def require_place(option: str, path: Path | None, *suffixes: str, inputs: Iterable[Path] = ()) -> None:
    """Check, before any work, that a file can be written where an option says. None for an option not given.

    Args:
        option: as it is called.
        path: what it says.
        suffixes: of which the file must have one; none for any.
        inputs: files that the command reads.

    Raises:
        InputError: if it has another suffix, is a directory, its folder is none or cannot be written, it is an input,
            or it lies in the directory of a run or an entry.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{option} {path}: it is a directory")
    if suffixes and path.suffix not in suffixes:
        raise InputError(f"{option} {path}: must end in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: '{path.parent}' is not a directory")
    require_writable(path.parent)
    require_apart(option, path)
    if path.exists() and any(path.samefile(each) for each in inputs if each.exists()):
        raise InputError(f"{option} {path}: is an input of this command")


def require_apart(option: str, path: Path) -> None:
    """Check that a path lies in no directory of a run or an entry, whose files are what it was trained and judged by.

    Raises:
        InputError: if it does; names the option.
    """
    # As it is written and as it is, should there be links.
    for folder in (path.absolute(), *path.absolute().parents, path.resolve(), *path.resolve().parents):
        for record, what in ((names.RUN, "a run"), (names.ENTRY, "an entry")):
            if (folder / record).is_file():
                raise InputError(f"{option} {path}: lies in the directory of {what}, '{folder}'; choose another place")


def _temporaries(folder: Path, prefix: str) -> list[Path]:
    return [path for path in folder.glob(TEMPORARIES) if path.name.startswith(prefix)]


def _create_temporary(path: Path) -> tuple[Path, int]:
    """An empty file beside `path`, locked while it is written, so that nobody takes it for a leftover."""
    while True:
        # The number of the process does not suffice: two containers may share a folder and count from 1 each.
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            # Another writer may have removed it before it was locked.
            if try_lock(descriptor) and os.path.exists(temporary):  # noqa: PTH110 it never raises
                return temporary, descriptor
        except OSError:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        os.close(descriptor)


def _remove_unless_locked(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):  # its writer is done, or it is another user's
        return
    try:
        if try_lock(descriptor):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    # A rename is durable only once the data and the folder entry are.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
