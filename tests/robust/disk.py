"""A file system of a few kilobytes that can be filled to the last page, by the kernel's own hand."""

import errno
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096
_MOUNT = 'mount -t tmpfs -o size="$1" none "$0" && echo mounted && exec sleep infinity'


class SmallDisk:
    """A mounted tmpfs. It lives in the namespaces of a process of its own, so that no right to mount is needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self, leave_pages: int = 0) -> None:
        """Take all space but so many pages."""
        self.free()
        state = os.statvfs(self.path)
        try:
            with self._filler.open("wb") as file:
                file.write(bytes(max(0, state.f_bavail - leave_pages) * state.f_frsize))
        except OSError as error:
            # Who is being watched wrote in between: the disk is full, as it should be.
            if error.errno != errno.ENOSPC:
                raise

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Generator[SmallDisk]:
    """Mount a disk of `size` (as tmpfs takes it) and yield it; skips the test where no namespace can be made."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare command to mount a small disk with")
    folder.mkdir(exist_ok=True)
    holder = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(folder), size],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout
        assert holder.stderr
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"this machine lets nobody mount a small disk: {holder.stderr.read().strip()}")
        # What that process sees; from here, the folder itself stays empty.
        yield SmallDisk(Path(f"/proc/{holder.pid}/root{folder}"))
    finally:
        holder.kill()
        holder.communicate()
