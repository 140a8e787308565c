"""Starts MuJoCo, and says how it came up."""

from pydantic import JsonValue


def start() -> dict[str, JsonValue]:
    """Return its fields of `BackendStamp`."""
    return {"engine": "mujoco", "runs_on": "cpu", "precision": "64", "engine_options": {}}
