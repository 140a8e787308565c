from dataclasses import replace

import pytest
import torch

from genelab.config.inspection import InspectCfg
from genelab.config.task import TaskSpec
from genelab.envs.make import make_env
from genelab.envs.protocol import Env
from genelab.envs.purpose import Purpose
from genelab.errors import InputError
from genelab.inspection.rollout import inspect_rollout
from genelab.learn.checkpoint import Checkpoint
from genelab.records.inspection import InspectedColumn, InspectedGroup
from genelab.registry import get_task
from genelab.sim.session import Session
from tests.export.conftest import make_checkpoint

pytestmark = pytest.mark.slow

TASK = get_task("GeneLab-Inverted-Pendulum-v1").on("mujoco")
SESSION = Session("mujoco", torch.device("cpu"), 0, 1, {}, 0.0)
NUM_ENVS = 16
CFG = InspectCfg(steps=80, seed=3)


def environment(task: TaskSpec, num_envs: int = NUM_ENVS) -> Env:
    protocol = task.protocol.model_copy(update={"seed": CFG.seed})
    return make_env(task, Purpose.evaluation(task, protocol), num_envs, SESSION)


def inspected(
    task: TaskSpec, checkpoint: Checkpoint | None = None
) -> tuple[InspectedGroup, InspectedGroup, InspectedGroup]:
    policy, critic, actions = inspect_rollout(task, environment(task), CFG.steps, checkpoint, "x.pt")
    assert [group.name for group in (policy, critic, actions)] == ["policy", "critic", "actions"]
    assert {group.rows for group in (policy, critic, actions)} == {NUM_ENVS * CFG.steps}
    return policy, critic, actions


def by_name(group: InspectedGroup) -> dict[str, InspectedColumn]:
    return {column.name: column for column in group.columns}


def with_bounds(task: TaskSpec, term: str, bounds: tuple[tuple[float, float], ...]) -> TaskSpec:
    groups = {
        name: group.model_copy(update={"terms": group.terms | {term: group.terms[term].model_copy(update=bounds_)}})
        for name, group in task.env.observations.items()
        for bounds_ in [{"bounds": bounds}]
    }
    return task.model_copy(update={"env": task.env.model_copy(update={"observations": groups})})


def running() -> TaskSpec:
    """The task, with a normaliser that learns its statistics."""
    task = TASK
    return task.model_copy(update={"agent": task.agent.model_copy(update={"normalization": "running"})})


def test_two_components_of_the_pole_are_noise_alone():
    policy, critic, actions = inspected(running())
    noisy, clean = by_name(policy), by_name(critic)
    assert [*noisy] == [
        *("joint_pos[slider]", "joint_pos[hinge]", "joint_vel[slider]", "joint_vel[hinge]"),
        *("pole_ang_vel[x]", "pole_ang_vel[y]", "pole_ang_vel[z]", "last_action[slider]"),
    ]
    for axis in "xz":
        # Uniform noise of half width 0.1 rad/s.
        assert noisy[f"pole_ang_vel[{axis}]"].std == pytest.approx(0.1 / 3**0.5, rel=0.05)
        assert noisy[f"pole_ang_vel[{axis}]"].flags == ("only_noise",)
        assert clean[f"pole_ang_vel[{axis}]"].flags == ("constant",)
    # The pole turns about y alone, as fast as the hinge does; both scales are undone.
    assert clean["pole_ang_vel[y]"].std == pytest.approx(clean["joint_vel[hinge]"].std, rel=1e-4)
    assert not {"constant", "only_noise"} & {*noisy["pole_ang_vel[y]"].flags, *noisy["joint_pos[hinge]"].flags}
    # Random actions are targets of the slider: standard normal, within +-3 m but for 0.3 %.
    [slider] = actions.columns
    assert (slider.name, slider.bound, slider.flags) == ("slider", (-3.0, 3.0), ())
    assert slider.std == pytest.approx(1.0, abs=0.1)
    assert (policy.normalization, policy.seen) == ("running", "predicted")


def test_a_saturated_policy_and_what_its_normaliser_makes_of_the_observations():
    task = running()
    torch.manual_seed(0)
    checkpoint = make_checkpoint(task, torch.randn(500, 8) * 0.2 + 0.5)
    # An output bias far beyond the rail.
    last = max(name for name in checkpoint.actor if name.startswith("mlp.") and name.endswith(".bias"))
    checkpoint = replace(checkpoint, actor=checkpoint.actor | {last: torch.full_like(checkpoint.actor[last], 5.0)})
    policy, critic, actions = inspected(task, checkpoint)
    [slider] = actions.columns
    assert slider.share_saturated == slider.share_outside == 1.0
    assert "saturated" in slider.flags
    assert (policy.normalization, policy.seen) == ("running", "normaliser")
    mean, std = checkpoint.actor["obs_normalizer._mean"][0], checkpoint.actor["obs_normalizer._std"][0]
    for k, (column, scale) in enumerate(zip(policy.columns, [1, 1, 0.1, 0.1, 0.2, 0.2, 0.2, 1], strict=True)):
        assert column.mean is not None
        expected = (scale * column.mean - float(mean[k])) / (float(std[k]) + 0.01)
        assert column.seen_mean == pytest.approx(expected, rel=1e-3, abs=1e-3)
    # The helper's critic never saw a value: its normaliser still is the identity, but for its own 0.01.
    hinge = by_name(critic)["joint_pos[hinge]"]
    assert hinge.std is not None
    assert hinge.seen_std == pytest.approx(hinge.std / 1.01, rel=1e-4)


def test_fixed_bounds_are_known_before_training():
    policy, _, _ = inspected(TASK)
    assert (policy.normalization, policy.seen) == ("fixed", "normaliser")
    for column in policy.columns:
        assert column.bound is not None
        assert column.std is not None
        assert column.seen_std == pytest.approx(column.std * 2.0 / (column.bound[1] - column.bound[0]), rel=1e-4)


def test_a_checkpoint_of_another_layout_is_refused():
    task = TASK
    checkpoint = make_checkpoint(task, torch.randn(100, 8))
    with pytest.raises(InputError, match=r"x\.pt: the observations it was trained on are laid out otherwise"):
        inspected(with_bounds(task, "joint_pos", ((-9.0, 9.0), (-9.0, 9.0))), checkpoint)


def test_a_task_with_a_goal_under_random_actions():
    task = get_task("GeneLab-Franka-Pick-And-Place-v0").on("mujoco")
    found = {group.name: group for group in inspect_rollout(task, environment(task, 64), 10)}
    assert [*found] == ["observation", "achieved_goal", "desired_goal", "actions"]
    assert {found[name].seen for name in ("observation", "achieved_goal", "desired_goal")} == {"unnormalised"}
    actions = by_name(found["actions"])
    assert [*actions] == ["hand_x", "hand_y", "hand_z", "gripper"]
    # Standard normal actions are beyond one in 31.7 % of the draws.
    for name, column in actions.items():
        assert column.share_clipped == column.share_saturated == pytest.approx(0.317, abs=0.07)
        assert column.std == pytest.approx(0.1 if name == "gripper" else 0.05, rel=0.15)
        assert column.flags == ("saturated",)
    height = by_name(found["desired_goal"])["goal_position[z]"]
    assert height.min is not None
    assert height.max is not None
    assert 0.02 - 1e-6 <= height.min < height.max <= 0.2 + 1e-6
