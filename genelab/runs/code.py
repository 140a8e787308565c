"""Which source and which package versions stand behind a process."""

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from pathlib import Path

from genelab import __version__
from genelab.records.stamps import CodeStamp

PACKAGES = ("genesis-world", "quadrants", "torch", "numpy", "rsl-rl-lib", "stable-baselines3", "pydantic")


def code_stamp(package: str) -> CodeStamp:
    """Source of an importable top-level package: its commit and what differs from it, untracked files included."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"no package '{package}' to stamp")
    folder = Path(next(iter(spec.submodule_search_locations)))
    version = __version__ if package == "genelab" else _version_of_module(package)
    # Tracked files only: a wheel installed below some checkout is not that checkout's code.
    if not _git(folder, "ls-files", "--", "."):
        return CodeStamp(name=package, version=version, commit=None, dirty=None)
    head = _git(folder, "rev-parse", "HEAD")
    commit = (head or b"").decode().strip() or None
    diff = _git(folder, "diff", "--binary", "--no-ext-diff", "--no-textconv", "HEAD", "--", ".")
    others = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    if head is None or diff is None or others is None:
        return CodeStamp(name=package, version=version, commit=commit, dirty=None)
    untracked = others.split(b"\0")
    digest = hashlib.sha256(diff)
    for name in filter(None, untracked):
        digest.update(name + b"\0" + (folder / os.fsdecode(name)).read_bytes())
    dirty = bool(diff) or any(untracked)
    return CodeStamp(
        name=package, version=version, commit=commit, dirty=dirty, diff_sha256=digest.hexdigest() if dirty else None
    )


def package_versions() -> dict[str, str]:
    """Versions of what a result depends on, by distribution name; those not installed are left out."""
    versions = {"python": platform.python_version(), "genelab": __version__}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Output of git in `folder`; None without git or outside a checkout."""
    if shutil.which("git") is None:
        return None
    # A hook's GIT_DIR would point at its own repository; status must not write an index either.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, env=env | {"GIT_OPTIONAL_LOCKS": "0"}, check=False)
    return done.stdout if done.returncode == 0 else None


def _version_of_module(package: str) -> str:
    for entry in importlib.metadata.entry_points(group="genelab.tasks"):
        if entry.dist and entry.value.partition(":")[0].partition(".")[0] == package:
            return entry.dist.version
    names = importlib.metadata.packages_distributions().get(package)
    return importlib.metadata.version(names[0]) if names else "not installed"
