"""Starts MuJoCo, and says how it came up."""

from pydantic import JsonValue

from genelab.errors import InputError


def require(device: str) -> None:
    """Raises InputError if a device is asked for that is not the CPU."""
    if device not in ("auto", "cpu"):
        raise InputError(f"--device {device}: env.sim.engine = 'mujoco' runs on the CPU alone")


def start() -> dict[str, JsonValue]:
    """Return its fields of `BackendStamp`."""
    return {"engine": "mujoco", "runs_on": "cpu", "precision": "64", "engine_options": {}}
