"""Makes a virtual environment with the standard library alone: `python3 scripts/make_venv.py .venv`."""

import ctypes
import importlib.util
import shutil
import subprocess
import sys
import venv
from pathlib import Path

MIN_PYTHON = (3, 11)
SHARED_LIBRARIES = {"libGL.so.1": "libgl1", "libXrender.so.1": "libxrender1"}
"""What `import genesis` loads from a Linux system, display or not, and the Debian package of each."""


def has_module(name: str) -> bool:
    """Whether this interpreter has a module. Debian splits ensurepip off; some images have no pip."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.loader is not None


def missing_libraries() -> list[str]:
    """Shared libraries that cannot be loaded here."""
    missing: list[str] = []
    for name in SHARED_LIBRARIES if sys.platform == "linux" else ():
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def main(target: Path) -> str | None:
    """Create the environment; returns one line on what the machine lacks, or None."""
    if sys.version_info < MIN_PYTHON:
        return f"genelab needs Python 3.11 or newer, this is {sys.version.split()[0]}: make PYTHON=python3.12 ..."
    if missing := missing_libraries():
        packages = " ".join(SHARED_LIBRARIES[name] for name in missing)
        return f"Genesis needs {' and '.join(missing)}: install the system package (Debian: apt-get install {packages})"
    if has_module("ensurepip"):
        venv.create(target, with_pip=True, clear=True)
    elif has_module("pip"):
        venv.create(target, with_pip=False, clear=True)
        python = str(target / "bin" / "python")
        install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "pip"]
        if subprocess.run(install, check=False).returncode != 0:
            shutil.rmtree(target)
            return "pip could not install itself into the environment; its message stands above"
    else:
        return "Python has neither ensurepip nor pip: install the system package python3-venv, or pip"
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
