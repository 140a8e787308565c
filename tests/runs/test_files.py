import errno
import os
import resource
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from genelab.errors import GenelabError, InputError, RunError
from genelab.records.files import read_json
from genelab.runs.files import atomic_path, disk_errors, remove_temporaries, require_writable, write_atomic, write_json

NOBODY = 65534


@contextmanager
def file_size_limit(limit: int) -> Generator[None]:
    """What a full disk looks like, by the kernel's own hand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def unprivileged(function: Callable[[], object]) -> str:
    """The error of `function` without root's right to write anywhere, as `Type: message`."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        told = ""
        if os.getuid() == 0:
            os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            function()
        except GenelabError as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writer, told.encode())
        os._exit(0)
    os.close(writer)
    os.wait()
    with os.fdopen(reader) as pipe:
        return pipe.read()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"a": 1})
    with file_size_limit(100), pytest.raises(RunError, match=r"cannot write '.*record\.json': file size limit"):
        write_json(path, {"a": "x" * 1000})
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["record.json"]


def test_an_error_of_the_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_text("old")

    def write() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.pt"]


def test_a_full_disk_is_one_clear_line() -> None:
    full = Path("/dev/full")
    with pytest.raises(RunError, match="cannot write '/dev/full': no space left"), disk_errors(full):
        full.write_text("x")


def test_a_directory_in_the_place_of_a_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write '.*': it is a directory"), disk_errors(tmp_path):
        tmp_path.write_text("x")


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), disk_errors(tmp_path):
        raise BrokenPipeError(errno.EPIPE, "broken pipe")


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "frozen"
    folder.mkdir(mode=0o555)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        if os.access(parent, os.W_OK) and parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    assert unprivileged(lambda: require_writable(folder / "a" / "b")).startswith("InputError: cannot write to '")
    assert "frozen' is read-only" in unprivileged(lambda: require_writable(folder))
    assert "permission denied" in unprivileged(lambda: write_atomic(folder / "x", "x"))


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file' is not a directory"):
        require_writable(tmp_path / "file" / "a")
    with pytest.raises(InputError, match="not a directory"):
        write_atomic(tmp_path / "file" / "a", "x")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "record.json", {"a": float("nan")})
    assert names(tmp_path) == []


def test_temporaries_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".run.json.123.tmp").write_text("half")
    (tmp_path / "run.json").write_text("{}")
    remove_temporaries(tmp_path, tmp_path / "missing")
    assert names(tmp_path) == ["run.json"]
