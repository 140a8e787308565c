"""Starts MuJoCo, and says how it came up."""

import os
import sys

from pydantic import JsonValue

from genelab.errors import InputError

PACKAGES = ("mujoco",)
"""Distributions whose versions decide on results."""


def start(device: str) -> dict[str, JsonValue]:
    """Prepare the import of MuJoCo and return its fields of `BackendStamp`.

    Raises:
        InputError: on another device than the CPU.
    """
    if device != "cpu":
        raise InputError(f"env.sim.engine = 'mujoco': runs on the CPU alone, not on '{device}'; take --device cpu")
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        # Read once, at the import: without a screen pictures are drawn off it.
        os.environ.setdefault("MUJOCO_GL", "egl")
    return {"engine": "mujoco", "runs_on": "cpu", "precision": "64", "engine_options": {}}
