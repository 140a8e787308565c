"""Looks at this machine as a training would find it."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from genelab.config.places import STORE
from genelab.errors import InputError
from genelab.jobs.session import stamps_of
from genelab.registry import broken_entry_points, registered_tasks
from genelab.runs.code import PACKAGES
from genelab.runs.files import FREE_BYTES, require_writable
from genelab.runs.gpu import gpu_stamp, visible_gpus
from genelab.sim.make import start

DRAWS = "from genelab.draw.stage import try_to_draw; try_to_draw()"
"""A program that draws off screen as films are drawn."""
DRAW_TIMEOUT_S = 60.0
"""Longest wait for it, s."""


def examine() -> tuple[dict[str, Any], list[str]]:
    """What a record of this process would say, what else matters here, and one line on each thing that is wrong."""
    problems: list[str] = [str(broken) for broken in broken_entry_points()]
    stamps = stamps_of(start(seed=0, device="cpu", threads=1, engine="mujoco"), "genelab")
    problems += [f"package {name} is not installed" for name in PACKAGES if name not in stamps.packages]
    problems += [f"source of {code.name}: {code.problem}" for code in stamps.code if code.problem]
    facts: dict[str, Any] = {
        "executable": sys.executable,
        "tasks": len(registered_tasks()),
        "packages": stamps.packages,
        "code": [code.model_dump(mode="json") for code in stamps.code],
        "hardware": stamps.hardware.model_dump(mode="json"),
        "gpus": _gpus(problems),
        "renderer": _renderer(problems),
        "folders": _folders(problems),
        "backend": stamps.backend.model_dump(mode="json"),
    }
    return facts, problems


def _gpus(problems: list[str]) -> list[dict[str, Any]]:
    """The GPUs that torch can use."""
    usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
    seen = len(visible_gpus())
    if seen > usable:
        problems.append(f"the NVIDIA driver shows {seen} GPU(s), torch {torch.__version__} can use {usable}")
    return [gpu_stamp(index).model_dump(mode="json") for index in range(usable)]


def _renderer(problems: list[str]) -> dict[str, str | None]:
    """Whether MuJoCo draws without a screen, tried in a process of its own: a bad driver may end it."""
    name = os.environ.get("MUJOCO_GL")
    failure: str | None = None
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", DRAWS], capture_output=True, text=True, check=False, timeout=DRAW_TIMEOUT_S
        )
        if done.returncode:
            failure = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        failure = f"no picture within {DRAW_TIMEOUT_S:g} s"
    if failure:
        problems.append(
            f"films cannot be drawn with MUJOCO_GL={name or 'unset'}: {failure}; it may be egl, osmesa or glfw"
        )
    return {"MUJOCO_GL": name or "unset", "failure": failure}


def _folders(problems: list[str]) -> dict[str, dict[str, Any]]:
    """The folders that genelab and its simulators write to, and the store."""
    folders = {"current folder": Path.cwd(), "temporary files": Path(tempfile.gettempdir())}
    if home := os.environ.get("HOME"):
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path(home) / ".cache")
        folders |= {"kernels of Genesis": caches / "quadrants", "meshes of Genesis": caches / "genesis"}
    else:
        problems.append("HOME is not set: Genesis keeps its compiled kernels below it and cannot start")
    found: dict[str, dict[str, Any]] = {}
    for name, folder in folders.items():
        existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        found[name] = {"path": str(folder), "exists": folder.is_dir(), "free_bytes": free}
        try:
            require_writable(folder)
        except InputError as error:
            problems.append(f"{name}: {error}")
        if free < FREE_BYTES:
            problems.append(f"{name}: '{folder}' has {free / 2**20:.0f} MiB left")
    # Read only, and not there for who installed genelab without its repository.
    found["store"] = {"path": str(STORE), "exists": STORE.is_dir(), "free_bytes": None}
    return found
