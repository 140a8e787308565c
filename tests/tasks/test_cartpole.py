import pytest

from genelab.config.task import TaskSpec
from genelab.registry import get_task

SINGLE = ("GeneLab-Inverted-Pendulum-v0", "GeneLab-Inverted-Pendulum-v1")
DOUBLE = ("GeneLab-Double-Inverted-Pendulum-v0", "GeneLab-Double-Inverted-Pendulum-v1")


@pytest.fixture(params=SINGLE + DOUBLE)
def task(request: pytest.FixtureRequest) -> TaskSpec:
    return get_task(request.param)


def test_ceiling_follows_from_the_positive_weights(task: TaskSpec) -> None:
    positive = sum(term.weight for term in task.env.rewards.values() if term.weight > 0)
    assert task.return_ceiling == pytest.approx(positive * task.env.control_dt * task.env.max_episode_steps)


def test_versions_differ_only_where_intended() -> None:
    old, new = (get_task(task_id).env for task_id in SINGLE)
    assert old.model_copy(update={"robot": new.robot, "observations": new.observations}) == new
    old, new = (get_task(task_id).env for task_id in DOUBLE)
    changed = {name for name in old.rewards if old.rewards[name] != new.rewards[name]}
    assert changed == {"poles_upright", "poles_aligned"}
    shared = {"robot": new.robot, "rewards": new.rewards, "observations": new.observations}
    assert old.model_copy(update=shared) == new


def test_bounds_of_positions_end_at_the_stop_or_where_the_episode_does(task: TaskSpec) -> None:
    env = task.env
    ends = {j: term.params["limit"] for term in env.terminations.values() for j in term.params["joints"]}
    stops = {joint: bounds[1] for joint, bounds in env.robot.file.joints.items() if bounds}
    expected = tuple((-min(ends[joint], stop), min(ends[joint], stop)) for joint, stop in stops.items())
    assert env.observations["policy"].terms["joint_pos"].bounds == expected
