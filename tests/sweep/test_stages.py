"""Tasks that are trained in stages, and trainings that start from the policy of another one, without a simulator."""

import os
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from genelab.config.fit import misfit, taken_over
from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors.local import LocalExecutor
from genelab.sweep.launcher import launch
from genelab.sweep.live import LineView
from genelab.sweep.plan import SweepPlan, make_plan
from tests.records.factory import planned_run, trained_checkpoint

from .harness import Sweep
from .launch import WORKER

GO2W, ROUGH = "Genelab-Velocity-Flat-Unitree-Go2W-v0", "Genelab-Velocity-Rough-Unitree-Go1-v0"
PENDULUM = "GeneLab-Inverted-Pendulum-v1"
SMALL = [
    *("train.iterations=10", "train.num_envs=8", "stages.locked.train.iterations=6", "stages.locked.train.num_envs=8"),
    "protocol.episodes=4",
]


@pytest.fixture
def pendulum(tmp_path: Path) -> Path:
    """The policy of a finished training."""
    return _trained(tmp_path / "pendulum", get_task(PENDULUM)).final_checkpoint


def _trained(path: Path, task: TaskSpec) -> RunDir:
    run = planned_run(path, task)
    run.final_checkpoint.write_bytes(b"weights")
    run.update(checkpoint=trained_checkpoint(run.final_checkpoint.name, b"weights", 5))
    return run


def _plan(tmp_path: Path, task: str = GO2W, checkpoint: Path | None = None, *changes: str) -> SweepPlan:
    cfg = LaunchCfg(seeds=(1, 2), log_dir=str(tmp_path / "runs"))
    changed, overrides = apply_overrides(get_task(task), changes)
    return make_plan(changed, overrides, ExecutionCfg(), cfg, checkpoint)


def test_a_line_ends_with_the_task_itself() -> None:
    task = get_task(GO2W, "cpu")
    assert [name for name, _ in task.line()] == ["gait", "smooth", "locked", "rolling", None]
    assert task.stage(None) == task.model_copy(update={"stages": {}})
    # Wheels are locked until the gait is smooth.
    scales = [stage.env.action_scale["FL_wheel_joint"] for _, stage in task.line()]
    assert scales == [0.0, 0.0, 0.0, 20.0, 20.0]
    assert task.all_iterations == 1500 + 800 + 20 + 300 + 20
    assert task.env_steps(task.all_iterations) == task.all_iterations * 24 * 128
    assert [task.at(iteration).train.iterations for iteration in (0, 1499, 1500, 2639)] == [1500, 1500, 800, 20]


def test_the_plan_tells_every_stage(tmp_path: Path) -> None:
    plan = _plan(tmp_path, GO2W, None, "stages.locked.train.iterations=3")
    lines = plan.lines()
    assert "override   stages.locked.train.iterations: 6000 -> 3" in lines
    assert "stage      locked: 3 iterations x 24 steps x 4096 environments" in lines
    assert "budget     10000 iterations x 24 steps x 4096 environments" in lines
    # Nothing is written by a plan.
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "stages.lockd.train.iterations=3",
            "--set stages.lockd.train.iterations: unknown path; nearest: stages.locked",
        ),
        ("stages=1", r"--set stages: holds several values \(locked\); set one of them"),
        ("stages.locked.train.iterations=0", "stages.locked.train.iterations = 0: Input should be greater than 0"),
        (
            'stages.locked.env.action.scale={".*_wheel_joint":0.0,".*_(hip|thigh|calf)_joint":0.5}',
            r"cannot start from stages\.locked: there, env\.action\.scale of FL_hip_joint is 0\.5, must be 0\.25",
        ),
        ("agent.normalization=none", r"stages\.locked: there, agent\.normalization is running, must be none"),
    ],
)
def test_a_wrong_stage_is_one_clear_line(change: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        apply_overrides(get_task(GO2W), [change])
    assert "\n" not in str(caught.value)


def test_a_staged_task_can_be_trained_without_its_stages() -> None:
    changed, [override] = apply_overrides(get_task(GO2W), ["stages=[]"])
    assert changed == get_task(GO2W).stage(None)
    assert (override.old, override.new) == (["locked"], [])


def test_the_first_difference_is_named() -> None:
    smooth, terrain = (get_task(ROUGH, "cpu").stages[name] for name in ("smooth", "terrain"))
    assert misfit(smooth, terrain) is None
    # A stage may see more than the one before it, if it says so.
    forgotten = terrain.model_copy(update={"start": terrain.start.model_copy(update={"new_terms": ()})})
    told = misfit(smooth, forgotten)
    assert told is not None
    assert told.startswith("env.observations.policy is ['base_ang_vel', ")
    assert told.endswith("'height_scan'] x 1")


def test_what_starts_anew_is_told() -> None:
    loaded, fresh = taken_over(get_task(GO2W))
    wheels = "FL_wheel_joint, FR_wheel_joint, RL_wheel_joint, RR_wheel_joint"
    assert loaded[:3] == ("policy weights", "value weights", "normaliser statistics")
    assert fresh[1:] == (
        f"action noise and statistics of {wheels}",
        f"mean action and input weights of {wheels}, from 0",
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fresh_joints": ("FL_weel_joint",)}, "fresh_joints.*unknown joint 'FL_weel_joint'"),
        ({"locked_joints": ("FL_weel_joint",)}, "locked_joints.*unknown joint 'FL_weel_joint'"),
        ({"fresh_joints": ()}, "locked_joints = 'FL_wheel_joint': must be in start.fresh_joints too"),
        ({"new_terms": ("hieght_scan",)}, "unknown observation term 'hieght_scan'; known: .*last_action"),
    ],
)
def test_what_a_start_names_is_of_its_stage(change: dict[str, tuple[str, ...]], told: str) -> None:
    task = get_task(GO2W)
    start = task.start.model_copy(update=change)
    with pytest.raises(ValidationError, match=told):
        TaskSpec.model_validate(task.model_copy(update={"start": start}).model_dump())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            'stages.locked.env.observations.policy.terms.joint_pos.func="genelab.mdp.observations:height_scan"',
            "the task cannot start from stages.locked: there, env.observations.policy.terms.joint_pos.func is",
        ),
        (
            'stages.locked.env.rewards.joint_torques.func="genelab.families.velocity.terms:track_lin_vel"',
            r"env\.rewards\.joint_torques\.params = .*track_lin_vel missing a required argument: 'command'",
        ),
        (
            'env.rewards.joint_torques.func="genelab.families.velocity.terms:track_lin_vel"',
            r"env\.rewards\.joint_torques\.params = .*track_lin_vel missing a required argument: 'command'",
        ),
    ],
)
def test_a_term_that_cannot_be_computed_is_refused_before_anything_is_built(
    tmp_path: Path, change: str, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        _plan(tmp_path, GO2W, None, change)


def test_an_observation_that_has_no_mirror_image_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    joints = 'env.observations.policy.terms.joint_pos.params.joints=["FL_hip_joint"]'
    with pytest.raises(InputError, match="policy.terms.joint_pos: mirror image"):
        _plan(tmp_path, GO2W, None, "stages=[]", joints)


def test_a_checkpoint_starts_every_seed(tmp_path: Path, pendulum: Path) -> None:
    plan = _plan(tmp_path, PENDULUM, pendulum)
    assert plan.parent is not None
    assert (tmp_path / "runs" / "seed_2" / plan.parent.path).resolve() == pendulum
    assert any(line.startswith(f"start      {PENDULUM}, seed 1, iteration 5: policy weights") for line in plan.lines())


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path, pendulum: Path) -> None:
    with pytest.raises(InputError, match=rf"of '{PENDULUM}': there, the action is \['slider'\], must be \['FL_hip"):
        _plan(tmp_path, GO2W, pendulum, "stages=[]")
    other = pendulum.with_name("other.pt")
    other.write_bytes(b"weights")
    with pytest.raises(InputError, match="is not what a finished training or one of its stages left"):
        _plan(tmp_path, PENDULUM, other)
    pendulum.write_bytes(b"other weights")
    with pytest.raises(InputError, match="was changed: sha256"):
        _plan(tmp_path, PENDULUM, pendulum)
    lost = tmp_path / "model_final.pt"
    lost.write_bytes(b"weights")
    with pytest.raises(InputError, match="there is no such file with a run.json beside it"):
        _plan(tmp_path, PENDULUM, lost)


def test_only_ppo_starts_from_another_policy() -> None:
    franka = get_task("GeneLab-Franka-Pick-And-Place-v0")
    assert (
        misfit(franka, franka)
        == "the learner is sac of stable_baselines3, only ppo of rsl_rl can start from another policy"
    )


def _launch(log_dir: Path) -> int:
    task, overrides = apply_overrides(get_task(GO2W), SMALL)
    cfg = LaunchCfg(seeds=(1, 2), log_dir=str(log_dir), parallel=2)
    plan = make_plan(task, overrides, ExecutionCfg(), cfg)
    return launch(plan, ["genelab", "train"], LineView(plan), LocalExecutor(WORKER))


@pytest.mark.slow
def test_every_seed_goes_through_the_stages_and_on_from_where_it_stands(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    sweep.behave(s2="die in the last stage")
    assert _launch(sweep.log_dir) == 1
    assert sweep.states() == {1: "finished", 2: "crashed"}
    whole, half = (RunDir(sweep.log_dir / f"seed_{seed}").load() for seed in (1, 2))
    assert [(attempt.from_iteration, attempt.to_iteration, attempt.end) for attempt in whole.attempts] == [
        (0, 6, "finished"),
        (6, 16, "finished"),
    ]
    assert [(stage.name, stage.checkpoint.iteration) for stage in half.stages] == [("locked", 6)]
    sweep.behave()
    assert _launch(sweep.log_dir) == 0
    assert sweep.states() == {1: "finished", 2: "finished"}
    # Its first stage was not trained again.
    after = RunDir(sweep.log_dir / "seed_2").load()
    assert after.stages == half.stages
    assert after.timing is not None
    assert (after.timing.iterations, after.timing.env_steps) == (16, 16 * 24 * 8)
