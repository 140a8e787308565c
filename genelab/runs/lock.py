"""One process per directory. The kernel drops the lock with its holder, so a killed run leaves nothing to clean."""

import os
import platform
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

from genelab.errors import InputError
from genelab.records.names import LOCK as LOCK_NAME
from genelab.runs.files import disk_errors, try_lock

POLL_S = 0.1
NAME_S = 2.0
"""Longest wait for a holder that has not written its name yet, s."""


class HeldError(InputError):
    """Another process holds a directory."""


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the lock of an existing directory.

    Raises:
        HeldError: if another process holds it; names the process and since when.
        InputError: if the file system gives no locks: going on without one could spoil a result.
        RunError: if the disk is full.
    """
    path = folder / LOCK_NAME
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with disk_errors(path):
            held = try_lock(descriptor)
        if not held:
            raise HeldError(f"directory '{folder}' is in use by {_holder(descriptor)}")
        with disk_errors(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(
                descriptor, f"{os.getpid()} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {platform.node()}\n".encode(), 0
            )
        # The file stays: removing it would let two processes lock two files of one name.
        yield
    finally:
        os.close(descriptor)


def wait_until_free(folder: Path, patience_s: float, say: Callable[[str], None]) -> None:
    """Give a process that holds a directory `patience_s` to end, and `say` so.

    Raises:
        HeldError, InputError: as `locked`; the former if it is still held then.
    """
    end, told = time.monotonic() + patience_s, False
    while True:
        try:
            with locked(folder):
                return
        except HeldError as error:
            if time.monotonic() > end:
                raise
            if not told:
                say(f"{error}; waiting up to {patience_s:g} s for its end")
            told = True
        time.sleep(POLL_S)


def _holder(descriptor: int) -> str:
    """Who holds the lock, as far as that process has said so."""
    end = time.monotonic() + NAME_S
    while (name := _name_in(descriptor)) is None and time.monotonic() < end:
        # It took the lock just now and is about to write its name.
        time.sleep(POLL_S / 10)
    return name or "another process"


def _name_in(descriptor: int) -> str | None:
    words = os.pread(descriptor, 400, 0).decode(errors="replace").split()
    pid, since, host = (*words, "", "", "")[:3]
    here = host in ("", platform.node())
    # What an earlier holder left names a process that is gone.
    if not pid.isdigit() or not since or (here and not psutil.pid_exists(int(pid))):
        return None
    return f"process {pid}{'' if here else f' on {host}'} (since {since})"
