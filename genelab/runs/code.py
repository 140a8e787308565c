"""Which source and which package versions stand behind a process."""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from genelab import __version__
from genelab.records.stamps import CodeStamp

GIT_TIMEOUT_S = 60.0
"""Longest wait for one git command, s."""
PACKAGES = (
    *("genesis-world", "quadrants", "mujoco", "gymnasium", "torch", "numpy"),
    *("rsl-rl-lib", "stable-baselines3", "sb3-contrib", "pydantic"),
)


def code_stamp(package: str) -> CodeStamp:
    """Source of an importable top-level package: its commit and what differs from it, untracked files included.

    What git or a file does not tell is null, with the reason in `problem`.

    Raises:
        ValueError: if there is no such package.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"no package '{package}' to stamp")
    folder = Path(next(iter(spec.submodule_search_locations)))
    stamp = CodeStamp(
        name=package,
        version=__version__ if package == "genelab" else _version_of_module(package),
        commit=None,
        dirty=None,
    )
    if not any(os.path.exists(parent / ".git") for parent in (folder, *folder.resolve().parents)):  # noqa: PTH110 it never raises
        return stamp
    try:
        return _stamp_of_checkout(folder, stamp)
    except _GitError as error:
        return stamp.replace(problem=str(error))


def _stamp_of_checkout(folder: Path, stamp: CodeStamp) -> CodeStamp:
    # Tracked files only: a wheel installed below some checkout is not that checkout's code.
    if not _git(folder, "ls-files", "--", "."):
        return stamp
    commit = _git(folder, "rev-parse", "--verify", "HEAD^{commit}").decode().strip()
    try:
        diff = _git(folder, "diff", "--binary", "--no-ext-diff", "--no-textconv", "HEAD", "--", ".")
        others = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    except _GitError as error:
        return stamp.replace(commit=commit, problem=str(error))
    untracked = [os.fsdecode(name) for name in others.split(b"\0") if name]
    if not diff and not untracked:
        return stamp.replace(commit=commit, dirty=False)
    stamp = stamp.replace(commit=commit, dirty=True)
    digest = hashlib.sha256(diff)
    for name in untracked:
        try:
            digest.update(os.fsencode(name) + b"\0" + _content(folder / name))
        except OSError as error:
            return stamp.replace(problem=f"untracked '{name}' cannot be read: {error.strerror}")
    return stamp.replace(diff_sha256=digest.hexdigest())


def _content(path: Path) -> bytes:
    """What git would store of an untracked file; of a repository inside this one nothing."""
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return b"" if path.is_dir() else path.read_bytes()


def changed_since(package: str, commit: str, folders: Sequence[str] = (".",)) -> list[str] | None:
    """Files of an importable package that differ from those of a commit; None if that cannot be told.

    Args:
        package: its name.
        commit: the commit.
        folders: where to look in the package.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    try:
        told = _git(
            Path(next(iter(spec.submodule_search_locations))), "diff", "--name-only", "-z", commit, "--", *folders
        )
    except _GitError:
        # No checkout, or one that does not have the commit.
        return None
    return [os.fsdecode(name) for name in told.split(b"\0") if name]


def package_versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Versions of what a result depends on, by distribution name; those not installed are left out.

    `more`: what an environment depends on beside.
    """
    versions = {"python": platform.python_version(), "genelab": __version__}
    for name in dict.fromkeys((*PACKAGES, *more)):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


class _GitError(Exception):
    """What kept git from answering, in one line."""


def _git(folder: Path, *arguments: str) -> bytes:
    """Output of git in `folder`. Raises _GitError."""
    if shutil.which("git") is None:
        raise _GitError("git is not installed")
    # A hook's GIT_DIR would point at its own repository; status must not write an index either.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, env=env, check=False, timeout=GIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _GitError(f"git {arguments[0]} does not run: {type(error).__name__}") from error
    if done.returncode != 0:
        raise _GitError(f"git {arguments[0]} failed with exit code {done.returncode}{_kind_of(done.stderr)}")
    return done.stdout


def _kind_of(stderr: bytes) -> str:
    """Why git refused, as far as it matters here. Not its words: they name folders of this machine."""
    known = {b"dubious ownership": "not ours", b"Needed a single revision": "no commit yet"}
    return next((f": {what}" for words, what in known.items() if words in stderr), "")


def _version_of_module(package: str) -> str:
    for entry in importlib.metadata.entry_points(group="genelab.tasks"):
        if entry.dist and entry.value.partition(":")[0].partition(".")[0] == package:
            return entry.dist.version
    names = importlib.metadata.packages_distributions().get(package)
    return importlib.metadata.version(names[0]) if names else "not installed"
