import hashlib
import math
import xml.etree.ElementTree as ET

import pytest

from genelab.config.base import resolve_asset
from genelab.config.snapshot import dump_task, load_task
from genelab.config.task import TaskSpec
from genelab.registry import get_task

SINGLE = ("GeneLab-Inverted-Pendulum-v0", "GeneLab-Inverted-Pendulum-v1")
DOUBLE = ("GeneLab-Double-Inverted-Pendulum-v0", "GeneLab-Double-Inverted-Pendulum-v1")


@pytest.fixture(params=SINGLE + DOUBLE)
def task(request: pytest.FixtureRequest) -> TaskSpec:
    return get_task(request.param)


def test_snapshot_round_trip(task: TaskSpec) -> None:
    assert load_task(dump_task(task), "test") == task


def test_model_file_is_the_one_named(task: TaskSpec) -> None:
    model = resolve_asset(task.env.robot.model)
    assert hashlib.sha256(model.read_bytes()).hexdigest() == task.env.robot.model_sha256


def test_joints_say_what_the_model_file_says(task: TaskSpec) -> None:
    root = ET.parse(resolve_asset(task.env.robot.model)).getroot()
    compiler = root.find("compiler")
    radians = compiler is not None and compiler.get("angle") == "radian"
    joints = {joint.attrib["name"]: joint for joint in root.iter("joint")}
    assert list(joints) == list(task.env.robot.joints)
    for name, cfg in task.env.robot.joints.items():
        unit = math.radians(1.0) if joints[name].get("type") == "hinge" and not radians else 1.0
        assert cfg.range == pytest.approx([unit * float(x) for x in joints[name].attrib["range"].split()])
        assert cfg.armature == float(joints[name].get("armature", "0"))
        assert cfg.damping == float(joints[name].attrib["damping"])


@pytest.mark.parametrize(
    ("task_id", "limits", "armature"),
    [
        (SINGLE[0], [0.020944], 0.1),
        (SINGLE[1], [1.2], 0.0),
        (DOUBLE[0], [0.020944, 0.02618], 0.1),
        (DOUBLE[1], [1.2, 1.5], 0.0),
    ],
)
def test_ranges_and_armature(task_id: str, limits: list[float], armature: float) -> None:
    robot = get_task(task_id).env.robot
    slider, *hinges = robot.joints.values()
    assert slider.range == (-3.0, 3.0)
    assert [h.range[1] for h in hinges] == pytest.approx(limits, abs=1e-6)
    assert {joint.armature for joint in robot.joints.values()} == {armature}
    assert robot.default_armature is None


@pytest.mark.parametrize(("ids", "steps", "ceiling"), [(SINGLE, 1000, 40.0), (DOUBLE, 1200, 60.0)])
def test_ceiling_follows_from_the_positive_weights(ids: tuple[str, ...], steps: int, ceiling: float) -> None:
    for task in map(get_task, ids):
        assert task.env.max_episode_steps == steps
        positive = sum(term.weight for term in task.env.rewards.values() if term.weight > 0)
        assert positive * task.env.control_dt * steps == pytest.approx(ceiling)
        assert task.return_ceiling == ceiling


@pytest.mark.parametrize(("ids", "dim"), [(SINGLE, 8), (DOUBLE, 10)])
def test_observation_layout(ids: tuple[str, ...], dim: int) -> None:
    for task in map(get_task, ids):
        joints = len(task.env.robot.joints)
        assert joints + joints + 3 + len(task.env.action.joints) == dim
        policy, critic = task.env.observations["policy"], task.env.observations["critic"]
        assert list(policy.terms) == ["joint_pos", "joint_vel", "pole_ang_vel", "last_action"]
        assert policy.terms == critic.terms
        assert (policy.noise, critic.noise) == (True, False)


@pytest.mark.parametrize(("ids", "iterations", "save_interval"), [(SINGLE, 150, 25), (DOUBLE, 300, 50)])
def test_budget(ids: tuple[str, ...], iterations: int, save_interval: int) -> None:
    for task in map(get_task, ids):
        assert (task.train.iterations, task.train.num_envs) == (iterations, 4096)
        assert task.agent.save_interval == save_interval
        assert task.published_as == ids[0]


def test_versions_differ_only_where_intended() -> None:
    old, new = (get_task(task_id).env for task_id in SINGLE)
    assert old.model_copy(update={"robot": new.robot, "observations": new.observations}) == new
    old, new = (get_task(task_id).env for task_id in DOUBLE)
    changed = {name for name in old.rewards if old.rewards[name] != new.rewards[name]}
    assert changed == {"poles_upright", "poles_aligned"}
    shared = {"robot": new.robot, "rewards": new.rewards, "observations": new.observations}
    assert old.model_copy(update=shared) == new


@pytest.mark.parametrize("ids", [SINGLE, DOUBLE])
def test_observations_of_the_versions_differ_in_the_bounds_of_the_hinges_alone(ids: tuple[str, ...]) -> None:
    old, new = (get_task(task_id).env for task_id in ids)
    for group, cfg in old.observations.items():
        for name, term in cfg.terms.items():
            other = new.observations[group].terms[name]
            assert term.model_copy(update={"bounds": other.bounds}) == other
            assert (term.bounds == other.bounds) == (name != "joint_pos")


@pytest.mark.parametrize("ids", [SINGLE, DOUBLE])
def test_bounds_of_positions_end_at_the_stop_or_where_the_episode_does(ids: tuple[str, ...]) -> None:
    for env in (get_task(task_id).env for task_id in ids):
        ends = {j: term.params["limit"] for term in env.terminations.values() for j in term.params["joints"]}
        expected = tuple(
            (-min(ends[j], cfg.range[1]), min(ends[j], cfg.range[1])) for j, cfg in env.robot.joints.items()
        )
        assert env.observations["policy"].terms["joint_pos"].bounds == expected
