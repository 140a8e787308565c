"""Plans of tasks with a stage before: everything that can be told before a simulator is built."""

import hashlib
import itertools
from pathlib import Path

import pytest
from pydantic import ValidationError

from genelab.config.overrides import Override, apply_overrides
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.run import ParentRef, TrainedCheckpoint, foreign_start
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sweep.book import Book
from genelab.sweep.parents import require_fits, taken_over
from genelab.sweep.plan import SweepPlan, make_plan
from genelab.sweep.stages import plan_stages

STAGE_1, STAGE_2 = "Genelab-Velocity-Flat-Unitree-Go2W-CrabStage1-v0", "Genelab-Velocity-Flat-Unitree-Go2W-v0"
PENDULUM = "GeneLab-Inverted-Pendulum-v1"


@pytest.fixture
def pendulum(tmp_path: Path) -> Path:
    """The policy of a finished training."""
    return _trained(tmp_path / "pendulum", get_task(PENDULUM)).final_checkpoint


def _plan(tmp_path: Path, task: str = STAGE_2, checkpoint: Path | None = None, *changes: str) -> list[SweepPlan]:
    cfg = LaunchCfg(seeds=(1, 2), log_dir=str(tmp_path / "runs"))
    return plan_stages(get_task(task), (), ExecutionCfg(), cfg, checkpoint=checkpoint, stage_assignments=changes)


def test_the_stage_before_comes_first_in_a_folder_of_the_sweep(tmp_path: Path) -> None:
    first, second = _plan(tmp_path, STAGE_2, None, "train.iterations=3")
    assert (first.task.id, second.task.id) == (STAGE_1, STAGE_2)
    assert first.task.train.iterations == 3
    assert second.task == get_task(STAGE_2)
    assert first.log_dir == tmp_path / "runs" / "stages" / STAGE_1
    assert first.start is None
    assert any(str(first.log_dir) in line for line in second.lines())
    # Nothing is written by a plan.
    assert not (tmp_path / "runs").exists()


def test_a_task_without_a_stage_before_is_one_plan(tmp_path: Path) -> None:
    assert [plan.task.id for plan in _plan(tmp_path, STAGE_1)] == [STAGE_1]
    with pytest.raises(InputError, match="--stage-set a=1: .* is not trained from a stage before"):
        _plan(tmp_path, STAGE_1, None, "a=1")


def test_the_checkpoint_of_another_robot_is_refused(tmp_path: Path, pendulum: Path) -> None:
    with pytest.raises(
        InputError, match=r"of 'GeneLab-Inverted-Pendulum-v1': its actions are \['slider'\], the task's"
    ):
        _plan(tmp_path, STAGE_2, pendulum)


def test_a_checkpoint_without_a_run_is_refused(tmp_path: Path) -> None:
    lost = tmp_path / "model_final.pt"
    lost.write_bytes(b"weights")
    with pytest.raises(InputError, match="there is no such file with a run.json beside it"):
        _plan(tmp_path, STAGE_2, lost)


def test_a_checkpoint_starts_every_seed(tmp_path: Path, pendulum: Path) -> None:
    [plan] = _plan(tmp_path, PENDULUM, pendulum)
    assert plan.start is not None
    assert [plan.start.checkpoint(seed) for seed in (1, 2)] == [pendulum, pendulum]


def test_the_first_difference_between_stages_is_named() -> None:
    first, second = get_task(STAGE_1), get_task(STAGE_2)
    require_fits(first, second, "parent")
    policy = first.env.observations["policy"].model_copy(update={"history": 4})
    other = first.env.model_copy(update={"observations": {**first.env.observations, "policy": policy}})
    with pytest.raises(InputError, match=r"env\.observations\.policy is .* x 4, the task has .* x 5"):
        require_fits(first.model_copy(update={"env": other}), second, "parent")
    networks = first.agent.model_copy(update={"normalization": "none"})
    with pytest.raises(InputError, match=r"agent\.normalization is none, not the task's"):
        require_fits(first.model_copy(update={"agent": networks}), second, "parent")


def test_stages_may_have_stages_before_them(tmp_path: Path) -> None:
    cfg = LaunchCfg(seeds=(1,), log_dir=str(tmp_path / "runs"))
    task = get_task("Genelab-Velocity-Flat-Unitree-Go1-v0", "cpu")
    plans = plan_stages(task, (), ExecutionCfg(), cfg)
    find, smooth = (f"Genelab-Velocity-Flat-Unitree-Go1-GaitStage{number}-v0" for number in (1, 2))
    assert [plan.task.id for plan in plans] == [find, smooth, task.id]
    before = tmp_path / "runs" / "stages" / smooth
    assert [plan.log_dir for plan in plans] == [before / "stages" / find, before, tmp_path / "runs"]


ROUGH = "Genelab-Velocity-Rough-Unitree-Go1-v0"


def test_a_stage_may_see_more_than_the_one_before_it() -> None:
    smooth, climb = (
        get_task(f"Genelab-Velocity-{name}-v0")
        for name in (
            "Flat-Unitree-Go1-GaitStage2",
            "Rough-Unitree-Go1-GaitStage3",
        )
    )
    require_fits(smooth, climb, "parent")
    # Only from the stage that it names, which is why the terms are new.
    with pytest.raises(
        InputError, match=r"env\.observations\.policy is \['base_ang_vel', .*'command'\] x 1, the task has"
    ):
        require_fits(get_task("Genelab-Velocity-Flat-Unitree-Go1-GaitStage1-v0"), climb, "parent")
    assert climb.warm_start is not None
    forgotten = climb.model_copy(update={"warm_start": climb.warm_start.model_copy(update={"new_terms": ()})})
    with pytest.raises(InputError, match=r"env\.observations\.policy is .* the task has .*'height_scan'\] x 1"):
        require_fits(smooth, forgotten, "parent")


def test_the_chain_of_the_rough_task_begins_on_flat_ground(tmp_path: Path) -> None:
    cfg = LaunchCfg(seeds=(1,), log_dir=str(tmp_path / "runs"))
    plans = plan_stages(get_task(ROUGH, "cpu"), (), ExecutionCfg(), cfg)
    stages = [f"Flat-Unitree-Go1-GaitStage{number}" for number in (1, 2)] + ["Rough-Unitree-Go1-GaitStage3"]
    assert [plan.task.id for plan in plans] == [*(f"Genelab-Velocity-{name}-v0" for name in stages), ROUGH]


def test_the_chain_of_the_small_go2w_goes_through_both_of_its_stages(tmp_path: Path) -> None:
    cfg = LaunchCfg(seeds=(1,), log_dir=str(tmp_path / "runs"))
    plans = plan_stages(get_task(STAGE_2, "cpu"), (), ExecutionCfg(), cfg)
    find, smooth, roll = (f"Genelab-Velocity-Flat-Unitree-Go2W-GaitStage{number}-v0" for number in (1, 2, 3))
    assert [(plan.task.id, plan.task.variant) for plan in plans] == [
        (find, None), (smooth, None), (STAGE_1, "cpu"), (roll, None), (STAGE_2, "cpu")
    ]  # fmt: skip
    # Wheels are locked until the gait is smooth.
    scales = [plan.task.env.action.groups["wheels"].scale for plan in plans]  # type: ignore[union-attr]
    assert scales == [0.0, 0.0, 0.0, 20.0, 20.0]
    for before, after in itertools.pairwise(plans):
        require_fits(before.task, after.task, "parent")


def test_what_starts_anew_is_told() -> None:
    first, second = get_task(STAGE_1), get_task(STAGE_2)
    loaded, fresh = taken_over(first, second)
    wheels = "FL_wheel_joint, FR_wheel_joint, RL_wheel_joint, RR_wheel_joint"
    assert loaded[:3] == ("policy weights", "value weights", "normaliser statistics")
    assert fresh[2:] == (
        f"action noise and statistics of {wheels}",
        f"mean action and input weights of {wheels}, from 0",
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fresh_joints": ("FL_weel_joint",)}, "fresh_joints.*unknown joint 'FL_weel_joint'"),
        ({"locked_joints": ("FL_weel_joint",)}, "locked_joints.*unknown joint 'FL_weel_joint'"),
        ({"fresh_joints": ()}, "locked_joints = 'FL_wheel_joint': must be in warm_start.fresh_joints too"),
    ],
)
def test_joints_of_a_warm_start_are_those_of_the_task(change: dict[str, tuple[str, ...]], told: str) -> None:
    task = get_task(STAGE_2)
    assert task.warm_start is not None
    start = task.warm_start.model_copy(update=change)
    with pytest.raises(ValidationError, match=told):
        TaskSpec.model_validate(task.model_copy(update={"warm_start": start}).model_dump())


def test_a_new_term_that_the_task_does_not_have_is_refused() -> None:
    task = get_task("Genelab-Velocity-Rough-Unitree-Go1-GaitStage3-v0")
    assert task.warm_start is not None
    start = task.warm_start.model_copy(update={"new_terms": ("hieght_scan",)})
    with pytest.raises(ValidationError, match="unknown observation term 'hieght_scan'; known: .*height_scan"):
        TaskSpec.model_validate(task.model_copy(update={"warm_start": start}).model_dump())


def test_what_means_something_else_in_the_stage_before_is_refused(tmp_path: Path) -> None:
    first, second = get_task(STAGE_1), get_task(STAGE_2)
    # The policy of the second stage drives wheels, and the first locks them.
    with pytest.raises(InputError, match=r"scale and offset of the action on FL_wheel_joint are \(20\.0, 0\.0\)"):
        require_fits(second, first, "parent")
    bent, _ = apply_overrides(first, ["env.robot.joints.RL_thigh_joint.default_pos=1.0",
                                      "env.robot.joints.RR_thigh_joint.default_pos=1.0"])  # fmt: skip
    with pytest.raises(InputError, match=r"joints\.RL_thigh_joint\.default_pos is 1\.0, the task has 0\.9"):
        require_fits(bent, second, "parent")
    weak, _ = apply_overrides(first, ["env.action.groups.legs.scale=0.5"])
    with pytest.raises(InputError, match=r"action on FL_hip_joint are \(0\.5, 0\.0\), the task has \(0\.25, 0\.0\)"):
        require_fits(weak, second, "parent")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            'env.observations.policy.terms.joint_pos.params.joints=["FL_hip_joint"]',
            "policy.terms.joint_pos: mirror image",
        ),
        (
            'env.observations.policy.terms.joint_pos.func="genelab.mdp.observations:height_scan"',
            r"policy\.terms\.joint_pos\.params = .*height_scan missing a required argument",
        ),
        (
            'env.rewards.joint_torques.func="genelab.families.velocity.terms:track_lin_vel"',
            r"env\.rewards\.joint_torques\.params = .*track_lin_vel missing a required argument: 'command'",
        ),
    ],
)
def test_a_term_that_cannot_be_computed_or_mirrored_is_refused_before_anything_is_built(
    tmp_path: Path, change: str, told: str
) -> None:
    task, changes = apply_overrides(get_task(STAGE_1), [change])
    with pytest.raises(InputError, match=told):
        plan_stages(task, changes, ExecutionCfg(), LaunchCfg(seeds=(1,), log_dir=str(tmp_path / "runs")))


def test_a_seed_that_the_stage_before_lost_stays_planned_and_is_told(tmp_path: Path) -> None:
    plan = _plan(tmp_path)[1]
    # Only seed 1 was trained there.
    path = tmp_path / "runs" / "stages" / STAGE_1 / "seed_1"
    told = {"seeds_planned": (1, 2), "command": ("genelab",), "overrides": (), "execution": ExecutionCfg()}
    trained = RunDir.create(path, get_task(STAGE_1), seed=1, **told)  # type: ignore[arg-type]
    trained.final_checkpoint.write_bytes(b"weights")
    # The file alone is not enough: a seed may fail after it wrote its policy.
    ready, lost = plan.ready()
    assert (lost, list(ready.seeds)) == ([1, 2], [])
    _finish(trained)
    ready, lost = plan.ready()
    assert lost == [2]
    assert [seed.seed for seed in ready.seeds] == [1]
    assert ready.planned == (1, 2)
    again = make_plan(plan.task, (), ExecutionCfg(), plan.cfg, ready.start, ready.lost)
    assert ([seed.seed for seed in again.seeds], again.planned, again.lost) == ([1], (1, 2), (2,))
    entries = {entry.seed: entry for entry in Book(again, ("genelab",)).record.seeds}
    assert (entries[2].state, entries[2].reason) == ("failed", "the stage before left it no policy")
    assert entries[1].state == "planned"
    # Without the policy that it was created with a seed cannot go on.
    trained.final_checkpoint.unlink()
    with pytest.raises(InputError, match=r"seed 1 was started from '.*model_final\.pt', which is missing"):
        make_plan(plan.task, (), ExecutionCfg(), plan.cfg, ready.start, ready.lost)


def _trained(path: Path, task: TaskSpec) -> RunDir:
    told = {"seeds_planned": (1,), "command": ("genelab",), "overrides": (), "execution": ExecutionCfg()}
    run = RunDir.create(path, task, seed=1, **told)  # type: ignore[arg-type]
    run.final_checkpoint.write_bytes(b"weights")
    _finish(run)
    return run


def _finish(run: RunDir) -> None:
    data = run.final_checkpoint.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    told = {"path": run.final_checkpoint.name, "bytes": len(data), "sha256": digest, "weights_sha256": digest}
    run.update(checkpoint=TrainedCheckpoint(**told, iteration=5))  # type: ignore[arg-type]


def test_the_checkpoint_of_another_stage_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    run = _trained(tmp_path / "second", get_task(STAGE_2))
    with pytest.raises(InputError, match=f"is of {STAGE_2}: '{STAGE_2}' starts from {STAGE_1}; --set warm_start=null"):
        _plan(tmp_path, STAGE_2, run.final_checkpoint)
    alone, changes = apply_overrides(get_task(STAGE_2), ["warm_start=null"])
    cfg = LaunchCfg(seeds=(1,), log_dir=str(tmp_path / "runs"))
    (plan,) = plan_stages(alone, changes, ExecutionCfg(), cfg, checkpoint=run.final_checkpoint)
    assert any("the task names no stage before" in line for line in plan.lines())


def test_a_wrong_change_of_the_stage_before_is_told_under_its_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--stage-set train\.iteration: unknown path"):
        _plan(tmp_path, STAGE_2, None, "train.iteration=3")


REF = ParentRef(
    task=STAGE_1, task_version=1, seed=1, config_sha256="0" * 64, path="model.pt", sha256="1" * 64,
    weights_sha256="2" * 64, iteration=5, loaded=(), fresh=(),
)  # fmt: skip
CHANGED = Override(path="train.iterations", old=6000, new=2)


@pytest.mark.parametrize(
    ("parent", "foreign"),
    [
        (REF, False),
        (None, True),
        (REF.replace(variant="cpu"), True),
        (REF.replace(task=STAGE_2), True),
        (REF.replace(overrides=(CHANGED,)), True),
        (REF.replace(foreign=True), True),
        (REF.replace(parent=REF), False),
        (REF.replace(parent=REF.replace(overrides=(CHANGED,))), True),
    ],
)
def test_a_start_that_is_not_as_registered_is_foreign(parent: ParentRef | None, foreign: bool) -> None:
    assert foreign_start((STAGE_1, None), parent) is foreign
    assert foreign_start(None, parent) is (parent is not None)
