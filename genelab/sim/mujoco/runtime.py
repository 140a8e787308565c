"""Starts MuJoCo, and says how it came up."""

import os
import sys

from pydantic import JsonValue

from genelab.errors import InputError


def require(device: str) -> None:
    """Raises InputError if a device is asked for that is not the CPU."""
    if device not in ("auto", "cpu"):
        raise InputError(f"--device {device}: env.sim.engine = 'mujoco' runs on the CPU alone")


def start() -> dict[str, JsonValue]:
    """Prepare the import of MuJoCo and return its fields of `BackendStamp`."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        # Read once, at the import: without a screen pictures are drawn off it.
        os.environ.setdefault("MUJOCO_GL", "egl")
    return {"engine": "mujoco", "runs_on": "cpu", "precision": "64", "engine_options": {}}
