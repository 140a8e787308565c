"""One process per directory. The kernel drops the lock with its holder, so a killed run leaves nothing to clean."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from genelab.errors import InputError
from genelab.runs.files import disk_errors

LOCK_NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the lock of an existing directory.

    Raises:
        InputError: if another process holds it; names the process and since when.
    """
    path = folder / LOCK_NAME
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"directory '{folder}' is in use by {_holder(descriptor)}") from error
        with disk_errors(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n".encode(), 0)
        # The file stays: removing it would let two processes lock two files of one name.
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    pid, _, since = os.pread(descriptor, 200, 0).decode(errors="replace").strip().partition(" ")
    return f"process {pid} (since {since})" if since else "another process"
