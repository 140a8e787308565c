import subprocess
import sys
from pathlib import Path

import pytest

from genelab.records.stamps import REQUIRED_PACKAGES, CodeStamp
from genelab.runs import code
from genelab.runs.code import code_stamp, package_versions
from genelab.runs.gpu import visible_gpus
from genelab.runs.stamps import environment_flags

pytestmark = pytest.mark.slow


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `stamped_pkg` in a folder on the path."""
    folder = tmp_path / "stamped_pkg"
    folder.mkdir()
    (folder / "__init__.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


@pytest.mark.usefixtures("package")
def test_code_outside_a_checkout_has_no_commit() -> None:
    stamp = code_stamp("stamped_pkg")
    assert (stamp.commit, stamp.dirty, stamp.diff_sha256) == (None, None, None)
    assert "stamped_pkg" not in sys.modules


def test_code_in_a_checkout_that_does_not_track_it_has_no_commit(package: Path) -> None:
    git(package.parent, "init", "-q")
    git(package.parent, "commit", "-q", "--allow-empty", "-m", "first")
    assert code_stamp("stamped_pkg").commit is None


def test_commit_dirt_and_difference(package: Path) -> None:
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-q", "-m", "first")
    clean = code_stamp("stamped_pkg")
    assert clean.commit == git(package, "rev-parse", "HEAD")
    assert (clean.dirty, clean.diff_sha256) == (False, None)

    (package.parent / "notes.txt").write_text("outside the package")
    assert code_stamp("stamped_pkg") == clean

    (package / "__init__.py").write_text("x = 2\n")
    changed = code_stamp("stamped_pkg")
    assert changed.dirty
    (package / "new.py").write_text("y = 1\n")
    extended = code_stamp("stamped_pkg")
    assert len({clean.diff_sha256, changed.diff_sha256, extended.diff_sha256}) == 3


def unknown(stamp: CodeStamp) -> bool:
    return (stamp.commit, stamp.dirty, stamp.diff_sha256) == (None, None, None)


def test_a_repository_without_a_commit_is_not_a_clean_checkout(package: Path) -> None:
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    stamp = code_stamp("stamped_pkg")
    assert unknown(stamp)
    assert stamp.problem == "git rev-parse failed with exit code 128: no commit yet"


def commit(package: Path) -> None:
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-q", "-m", "first")


def test_without_git_a_checkout_is_unknown_and_a_wheel_is_a_wheel(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert code_stamp("stamped_pkg").problem is None
    (package.parent / ".git").mkdir()
    stamp = code_stamp("stamped_pkg")
    assert unknown(stamp)
    assert stamp.problem == "git is not installed"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo 'fatal: detected dubious ownership in /secret' >&2; exit 128", "exit code 128: not ours"),
        ("echo 'fatal: bad object /secret' >&2; exit 1", "git ls-files failed with exit code 1"),
        ("kill -9 $$", "git ls-files failed with exit code -9"),
        ("exec /bin/sleep 9", "git ls-files does not run: TimeoutExpired"),
        (None, "git ls-files does not run: OSError"),
    ],
)
def test_a_git_that_refuses_is_named_without_its_paths(
    script: str | None, problem: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(package)
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_bytes(b"\x7fELF broken" if script is None else f"#!/bin/sh\n{script}\n".encode())
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    monkeypatch.setattr(code, "GIT_TIMEOUT_S", 0.2)
    stamp = code_stamp("stamped_pkg")
    assert unknown(stamp)
    assert stamp.problem
    assert problem in stamp.problem
    assert "secret" not in stamp.problem


def test_a_difference_that_git_cannot_make_is_not_a_clean_checkout(package: Path) -> None:
    commit(package)
    blob = git(package, "rev-parse", "HEAD:stamped_pkg/__init__.py")
    (package.parent / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    (package / "__init__.py").write_text("x = 2\n")
    stamp = code_stamp("stamped_pkg")
    assert (stamp.commit, stamp.dirty, stamp.diff_sha256) == (git(package, "rev-parse", "HEAD"), None, None)
    assert stamp.problem == "git diff failed with exit code 128"


def test_an_unreadable_file_leaves_the_tree_dirty_and_the_digest_unknown(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(package)
    (package / "secret.py").write_text("x = 3\n")
    assert code_stamp("stamped_pkg").diff_sha256

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    stamp = code_stamp("stamped_pkg")
    assert (stamp.dirty, stamp.diff_sha256) == (True, None)
    assert stamp.problem == "untracked 'secret.py' cannot be read: Permission denied"


def test_untracked_links_and_repositories_are_no_trouble(package: Path) -> None:
    commit(package)
    (package / "dangling").symlink_to("nowhere")
    first = code_stamp("stamped_pkg")
    assert (first.dirty, first.problem) == (True, None)
    (package / "dangling").unlink()
    (package / "dangling").symlink_to("elsewhere")
    assert code_stamp("stamped_pkg").diff_sha256 != first.diff_sha256
    (package / "inner").mkdir()
    git(package / "inner", "init", "-q")
    (package / "inner" / "x.py").write_text("")
    git(package / "inner", "add", ".")
    git(package / "inner", "commit", "-q", "-m", "inner")
    stamp = code_stamp("stamped_pkg")
    assert (stamp.dirty, stamp.problem) == (True, None)
    assert stamp.diff_sha256


def test_versions_name_what_a_record_needs() -> None:
    assert set(REQUIRED_PACKAGES) <= set(package_versions())


def test_flags_in_force_without_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QD_GRAPH", "0")
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")
    monkeypatch.setenv("CUDA_HOME", "/opt/cuda")
    flags = environment_flags()
    assert (flags["QD_GRAPH"], flags["ONEDNN_VERBOSE"]) == ("0", "1")
    assert flags["CUDA_HOME"] == "<path>"
    assert "PATH" not in flags


def test_gpus_are_those_left_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 2")
    assert visible_gpus() == ["0", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
