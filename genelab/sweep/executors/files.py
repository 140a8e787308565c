"""Brings a directory that another machine writes up to date here: changed pieces of files, and digests of the whole.

What changes come in is plain data, so that any transport carries it.
"""

import os
import shutil
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from genelab.errors import RunError
from genelab.records import names
from genelab.runs.files import disk_errors

PIECE = 4 * 2**20
"""Bytes of a piece."""


class Piece(NamedTuple):
    """Bytes of a file that changed."""

    name: str
    """Path in the directory."""
    offset: int
    data: bytes


class Whole(NamedTuple):
    """All pieces of a file that changed have been told."""

    name: str
    size: int
    sha256: str


class Gone(NamedTuple):
    """A file is no longer there."""

    name: str


class Settled(NamedTuple):
    """Everything told so far belongs together."""


Change = Piece | Whole | Gone | Settled


def _rank(name: str) -> tuple[int, str]:
    """Order in which files are read. They take effect in the reverse one.

    The record names what the other files hold, and a training goes on from its state with the rows of the curve up to
    there: so neither may be newer than the rest.
    """
    return (0 if name == names.RUN else 1 if name.startswith("resume/") else 2), name


def files_of(folder: Path) -> list[str]:
    """Paths of the files below a directory; hidden ones are locks and drafts."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted((str(path) for path in found if not any(p.startswith(".") for p in path.parts)), key=_rank)


class Sender:
    """Tells what changes in a directory."""

    def __init__(self, folder: Path) -> None:
        """The other side has the files that are there now."""
        self._folder = folder
        self._stats: dict[str, tuple[int, ...]] = {}
        self._pieces: dict[str, list[str]] = {}
        for _ in self.changes():
            pass

    def changes(self) -> Generator[Change]:
        """What changed since the last call."""
        told, there = False, files_of(self._folder)
        for name in there:
            path = self._folder / name
            try:
                stat = path.stat()
                seen = stat.st_mtime_ns, stat.st_size, stat.st_ino
                if self._stats.get(name) == seen:
                    continue
                data = path.read_bytes()
            except FileNotFoundError:  # its writer removed it just now
                continue
            known, pieces = self._pieces.get(name, []), list[str]()
            for k, offset in enumerate(range(0, len(data), PIECE)):
                piece = data[offset : offset + PIECE]
                pieces.append(sha256(piece).hexdigest())
                if known[k : k + 1] != pieces[k:]:
                    yield Piece(name, offset, piece)
            yield Whole(name, len(data), sha256(data).hexdigest())
            self._stats[name], self._pieces[name], told = seen, pieces, True
        for name in set(self._pieces) - set(there):
            del self._pieces[name], self._stats[name]
            told = True
            yield Gone(name)
        if told:
            yield Settled()


class Receiver:
    """Applies what a `Sender` tells to a directory that held the same files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts: dict[str, Path] = {}
        self._gone: list[str] = []

    def take(self, change: Change) -> None:
        """Apply a change. Files are replaced as a whole, and only together with what belongs to them.

        Raises:
            RunError: if a file is another one than was sent, or the disk is full.
            InputError: if the directory cannot be written.
        """
        with disk_errors(self._folder):
            match change:
                case Piece(name, offset, data):
                    with self._draft(name).open("r+b") as file:
                        file.seek(offset)
                        file.write(data)
                case Whole(name, size, digest):
                    self._close(self._draft(name), name, size, digest)
                case Gone(name):
                    self._gone.append(name)
                case Settled():
                    for name in sorted(self._drafts, key=_rank, reverse=True):
                        self._drafts[name].replace(self._folder / name)
                    for name in self._gone:
                        (self._folder / name).unlink(missing_ok=True)
                    self._drafts, self._gone = {}, []

    def _draft(self, name: str) -> Path:
        if name not in self._drafts:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            if path.exists():
                shutil.copyfile(path, draft)
            else:
                draft.write_bytes(b"")
            self._drafts[name] = draft
        return self._drafts[name]

    def _close(self, draft: Path, name: str, size: int, digest: str) -> None:
        with draft.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
            file.seek(0)
            found = sha256(file.read()).hexdigest()
        if found != digest:
            raise RunError(f"'{self._folder / name}' came with sha256 {found} instead of {digest}")
