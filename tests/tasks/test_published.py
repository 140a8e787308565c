"""The tasks hold the published numbers, which stand in published.json beside this file."""

import json
from pathlib import Path
from typing import Any

import pytest

from genelab.mdp.term import bind, observed
from tests.clips import G1_TRACKING
from tests.stage import stage

PUBLISHED: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_text())
G1 = "Genelab-Velocity-{}-Unitree-G1-v0"
GO1, GO2W = "Genelab-Velocity-{}-Unitree-Go1-v0", "Genelab-Velocity-Flat-Unitree-Go2W-{}"


@pytest.mark.parametrize(
    ("task_id", "parts"),
    [
        (GO1.format("Flat"), ["velocity", "go1"]),
        (GO1.format("Rough"), ["velocity", "go1", "rough"]),
        (GO2W.format("v0/locked"), ["velocity", "go2w", "locked"]),
        (GO2W.format("v0"), ["velocity", "go2w", "rolling"]),
        (G1.format("Flat"), ["g1", "g1_starts_low"]),
        (G1.format("Rough"), ["g1", "g1_rough"]),
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
    if "velocity" in parts or "g1" in parts:
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


@pytest.mark.parametrize(("ground", "actor", "critic"), [("Flat", 96, 111), ("Rough", 283, 298)])
def test_the_g1_reads_as_many_numbers_as_published(ground: str, actor: int, critic: int) -> None:
    env = stage(G1.format(ground)).env
    widths = {n: sum(len(term.columns() or ()) for term in observed(env, n)) for n in env.observations}
    assert widths == {"policy": actor, "critic": critic}


def test_the_g1s_joints_may_be_as_far_from_the_default_pose_as_published() -> None:
    env = stage(G1.format("Flat")).env
    params = bind("env.rewards.pose", env.rewards["pose"], env).arguments
    assert set(params["standing"].values()) == {0.05}
    walks = {
        "hip_pitch": 0.30, "hip_roll": 0.15, "hip_yaw": 0.15, "knee": 0.35, "ankle_pitch": 0.25, "ankle_roll": 0.10,
        "shoulder_pitch": 0.15, "shoulder_roll": 0.15, "shoulder_yaw": 0.10, "elbow": 0.15,
        "wrist_roll": 0.30, "wrist_pitch": 0.30, "wrist_yaw": 0.30,
    }  # fmt: skip
    runs = walks | {
        "hip_pitch": 0.50, "hip_roll": 0.20, "hip_yaw": 0.20, "knee": 0.60, "ankle_pitch": 0.35, "ankle_roll": 0.15,
        "shoulder_pitch": 0.50, "shoulder_roll": 0.20, "shoulder_yaw": 0.15, "elbow": 0.35,
    }  # fmt: skip
    waists = {
        "walking": {"waist_yaw_joint": 0.20, "waist_roll_joint": 0.08, "waist_pitch_joint": 0.10},
        "running": {"waist_yaw_joint": 0.30, "waist_roll_joint": 0.08, "waist_pitch_joint": 0.20},
    }
    for pace, widths in (("walking", walks), ("running", runs)):
        sides = {f"{side}_{joint}_joint": width for side in ("left", "right") for joint, width in widths.items()}
        assert params[pace] == {**sides, **waists[pace]}
