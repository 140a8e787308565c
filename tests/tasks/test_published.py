"""The tasks hold the published numbers, which stand in published.json beside this file."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clips import G1_TRACKING
from tests.stage import stage

PUBLISHED: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_text())
GO1, GO2W = "Genelab-Velocity-{}-Unitree-Go1-v0", "Genelab-Velocity-Flat-Unitree-Go2W-{}"


@pytest.mark.parametrize(
    ("task_id", "parts"),
    [
        (GO1.format("Flat"), ["velocity", "go1"]),
        (GO1.format("Rough"), ["velocity", "go1", "rough"]),
        (GO2W.format("v0/locked"), ["velocity", "go2w", "locked"]),
        (GO2W.format("v0"), ["velocity", "go2w", "rolling"]),
        (G1_TRACKING, ["tracking"]),
        ("GeneLab-Inverted-Pendulum-v0", ["pendulum", "single"]),
        ("GeneLab-Double-Inverted-Pendulum-v0", ["pendulum", "double"]),
    ],
)
def test_a_task_holds_the_published_numbers(task_id: str, parts: list[str]) -> None:
    task = stage(task_id)
    published: dict[str, Any] = {}
    for part in parts:
        _merge(published, PUBLISHED[part])
    # Names of joints there, patterns here.
    pose = published["env"].get("robot", {}).pop("default_pos", {})
    assert {joint: task.env.robot.default_of(joint) for joint in pose} == pose
    assert _missing(published, task) == []
    if "velocity" in parts:
        for kind in ("rewards", "randomizations", "disturbances"):
            assert set(getattr(task.env, kind)) == set(published["env"].get(kind, {}))


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = json.loads(json.dumps(value))


def _missing(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Where the published numbers are not those of the task."""
    if isinstance(wanted, dict):
        held = {name: found.get(name) if isinstance(found, dict) else getattr(found, name) for name in wanted}
        return [line for name, value in wanted.items() for line in _missing(value, held[name], f"{path}.{name}")]
    if isinstance(wanted, list) and len(wanted) == len(found):
        return [line for k, value in enumerate(wanted) for line in _missing(value, found[k], f"{path}.{k}")]
    return [] if wanted == found else [f"{path} = {found}, published: {wanted}"]
