"""What a launch will do to each seed, decided before anything is written."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genelab.config.base import Choice
from genelab.config.choices import choices, require_made
from genelab.config.fit import misfit, taken_over
from genelab.config.overrides import Override
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.snapshot import canonical_json, config_sha256, differences, dump
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records import names
from genelab.records.demo_check import demonstrations_of
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record, sha256_file
from genelab.records.run import ParentRef, RunRecord, TrainedCheckpoint
from genelab.records.sweep import SweepRecord
from genelab.runs.files import TEMPORARIES, require_writable
from genelab.runs.hardware import usable_cores
from genelab.runs.run_dir import RunDir

Action = Literal["train", "resume", "retry", "evaluate", "skip"]

# What a launch that died before it wrote run.json may leave.
_LEFTOVERS = {names.PARAMS, ".lock"}


@dataclass(frozen=True)
class SeedPlan:
    """What happens to one seed."""

    seed: int
    path: Path
    action: Action
    why: str

    @property
    def run_dir(self) -> RunDir:
        """The directory of the seed."""
        return RunDir(self.path)


@dataclass(frozen=True)
class SweepPlan:
    """A launch, resolved and checked against what the directory holds."""

    task: TaskSpec
    overrides: tuple[Override, ...]
    config_sha256: str
    log_dir: Path
    execution: ExecutionCfg
    cfg: LaunchCfg
    parent: ParentRef | None
    """The checkpoint of another training that every seed starts from; None for training from scratch."""
    seeds: tuple[SeedPlan, ...]
    """The seeds of this launch."""
    planned: tuple[int, ...]
    """Every seed of the sweep, those of earlier launches included."""

    @property
    def trains(self) -> bool:
        """Whether any seed trains."""
        return any(seed.action in ("train", "resume", "retry") for seed in self.seeds)

    @property
    def sweep_file(self) -> Path:
        """Path of sweep.json."""
        return self.log_dir / names.SWEEP

    def again(self) -> "SweepPlan":
        """The plan with where each seed stands by now. Raises InputError as `make_plan`, for the directory alone."""
        found = _stand(self.task, self.config_sha256, self.log_dir, self.execution, self.cfg, self.parent)
        return dataclasses.replace(self, seeds=found[0], planned=found[1])

    def lines(self, here: bool = True) -> list[str]:
        """The plan as text. `here`: whether the seeds run on this machine."""
        lines = [
            f"task       {self.task.id} (version {self.task.task_version})"
            + (f", variant {self.task.variant}" if self.task.variant else ""),
            f"config     {self.config_sha256}",
            *(
                f"override   {_change(o.path, o.old, o.new)}{'' if o.effective else ' (no effect)'}"
                for o in self.overrides
            ),
            *(f"choice     {path}: {_told(choice)}" for path, choice in choices(self.task)),
            *(f"{name:10} {text}" for name, text in self.task.budget()),
            f"device     {self.execution.device}, {self.execution.threads} CPU thread(s) per seed, "
            f"{self.cfg.parallel} seed(s) at a time",
            f"directory  {self.log_dir}",
            *self._start(),
            *(f"seed {s.seed:<5} {s.action}: {s.why}" for s in self.seeds),
        ]
        wanted, cores = min(self.cfg.parallel, len(self.seeds)) * self.execution.threads, usable_cores()
        if here and wanted > cores:
            lines.append(f"warning: {wanted} threads at a time on {cores} usable core(s) slow each other down")
        return lines

    def _start(self) -> list[str]:
        if self.parent is None:
            return []
        loaded, fresh = taken_over(self.task.line()[0][1])
        stage = f", stage {self.parent.stage}" if self.parent.stage else ""
        return [
            f"start      {self.parent.task}{stage}, seed {self.parent.seed}, iteration {self.parent.iteration}: "
            f"{', '.join(loaded)}; anew: {', '.join(fresh)}"
        ]


def make_plan(
    task: TaskSpec,
    overrides: Sequence[Override],
    execution: ExecutionCfg,
    cfg: LaunchCfg,
    checkpoint: Path | None = None,
) -> SweepPlan:
    """Resolve a launch. Reads the directory, writes nothing.

    Args:
        task: what is to be trained.
        overrides: what the command line changed in it.
        execution: device and threads.
        cfg: the launch.
        checkpoint: policy of another training that every seed starts from; None for training from scratch.

    Raises:
        InputError: if the task leaves a choice open, a term does not fit its function, an observation has no mirror
            image, its demonstrations or the checkpoint do not fit, the directory cannot be written, or holds another
            task or configuration or a broken record, or a started seed ran on another device or number of threads or
            started from another checkpoint.
    """
    require_made(task)
    for name, stage in task.line():
        _require_terms(stage)
        if stage.env.engine != "genesis" and execution.device.startswith("cuda"):
            what = f"stage {name} of '{task.id}'" if name else f"'{task.id}'"
            where = {"mujoco": "MuJoCo", "gymnasium": "gymnasium"}[stage.env.engine]
            raise InputError(f"--device {execution.device}: {what} is trained in {where}, which runs on the CPU alone")
    demonstrations_of(task)
    log_dir = log_dir_of(task, cfg)
    require_writable(log_dir)
    sha256 = config_sha256(task)
    parent = None if checkpoint is None else _parent_of(checkpoint, log_dir, task)
    seeds, planned = _stand(task, sha256, log_dir, execution, cfg, parent)
    return SweepPlan(task, tuple(overrides), sha256, log_dir, execution, cfg, parent, seeds, planned)


def _parent_of(checkpoint: Path, log_dir: Path, task: TaskSpec) -> ParentRef:
    """What seeds of `task` start from, given as a checkpoint that lies in its run directory.

    Args:
        checkpoint: policy at the end of that training, or of one of its stages.
        log_dir: directory of the sweep of those seeds.
        task: what they are trained on.

    Raises:
        InputError: if there is no such file of a training around it, or its policy does not fit.
    """
    run_dir = RunDir(checkpoint.parent)
    if not checkpoint.is_file() or not run_dir.exists():
        raise InputError(f"parent checkpoint '{checkpoint}': there is no such file with a run.json beside it")
    record, trained_on = run_dir.load(), run_dir.task()
    left: dict[str | None, TrainedCheckpoint | None] = {stage.name: stage.checkpoint for stage in record.stages}
    left[None] = record.checkpoint
    found = [(name, left_by) for name, left_by in left.items() if left_by and left_by.path == checkpoint.name]
    if not found:
        raise InputError(f"parent checkpoint '{checkpoint}' is not what a finished training or one of its stages left")
    stage, trained = found[0]
    if stage not in (name for name, _ in trained_on.line()):
        raise InputError(f"parent checkpoint '{checkpoint}': its run.json names the stage '{stage}', its task has none")
    if told := misfit(trained_on.stage(stage), task.line()[0][1]):
        raise InputError(f"parent checkpoint '{checkpoint}' of '{record.task}': there, {told}")
    if (sha256 := sha256_file(checkpoint)) != trained.sha256:
        raise InputError(f"parent checkpoint '{checkpoint}' was changed: sha256 {trained.sha256} -> {sha256}")
    return parent_ref(run_dir, stage, trained, log_dir)


def parent_ref(run_dir: RunDir, stage: str | None, trained: TrainedCheckpoint, log_dir: Path) -> ParentRef:
    """What the seeds of a sweep in `log_dir` say of the checkpoint of a run that they begin from."""
    record = run_dir.load()
    return ParentRef(
        task=record.task,
        task_version=record.task_version,
        variant=run_dir.task().variant,
        stage=stage,
        seed=record.seed,
        config_sha256=record.config_sha256,
        # The same from every seed's directory.
        path=os.path.relpath(run_dir.path / trained.path, log_dir / "seed"),
        sha256=trained.sha256,
        weights_sha256=trained.weights_sha256,
        iteration=trained.iteration,
    )


def _stand(
    task: TaskSpec, sha256: str, log_dir: Path, execution: ExecutionCfg, cfg: LaunchCfg, parent: ParentRef | None
) -> tuple[tuple[SeedPlan, ...], tuple[int, ...]]:
    """What is left to do for each seed of a launch, and every seed of the sweep, by what the directory holds."""
    sweep_file = log_dir / names.SWEEP
    earlier = read_record(sweep_file, SweepRecord) if sweep_file.exists() else None
    planned = tuple(dict.fromkeys((*(earlier.seeds_planned if earlier else ()), *cfg.seeds)))
    chosen, found = set(cfg.seeds), dict[int, SeedPlan]()
    for seed in planned:
        run, record = RunDir(seed_dir(log_dir, seed)), None
        if run.exists():
            record = run.load()
            _require_task(run.path, record.task, task)
            if record.seed != seed:
                raise InputError(f"'{run.path}' holds seed {record.seed}")
            if record.config_sha256 != sha256:
                _refuse_config(log_dir, run.task(), task)
            require_execution(record, execution)
            _require_parent(record, parent)
            if record.status == "finished" and run.eval_file.is_file():
                read_record(run.eval_file, EvalRecord)
        if seed in chosen:
            found[seed] = _plan_seed(seed, run.path, record, cfg.evaluate)
    if earlier:
        _require_task(log_dir, earlier.task, task)
        if earlier.config_sha256 != sha256:
            raise InputError(
                f"'{log_dir}' was launched with another configuration: config_sha256 "
                f"{earlier.config_sha256} -> {sha256}. Choose another --log-dir"
            )
    return tuple(found[seed] for seed in cfg.seeds), planned


def log_dir_of(task: TaskSpec, cfg: LaunchCfg) -> Path:
    """Directory of a sweep of a task."""
    return Path(cfg.log_dir.replace("{task}", f"{task.id}_{task.variant}" if task.variant else task.id))


def seed_dir(log_dir: Path, seed: int) -> Path:
    """Directory of a seed."""
    return log_dir / f"seed_{seed}"


def _plan_seed(seed: int, path: Path, record: RunRecord | None, evaluate: bool) -> SeedPlan:
    run_dir = RunDir(path)
    if record is None:
        found = path.iterdir() if path.is_dir() else ()
        foreign = sorted(p.name for p in found if p.name not in _LEFTOVERS and not p.match(TEMPORARIES))
        if foreign:
            raise InputError(f"'{path}' holds no run.json but {foreign[0]}; move it away or choose another --log-dir")
        return SeedPlan(seed, path, "train", "new")
    if record.checkpoint is not None:
        if not (path / record.checkpoint.path).is_file():
            raise InputError(f"'{path}' is trained, but {record.checkpoint.path} is missing; delete it to start afresh")
        if record.status == "finished" and run_dir.eval_file.is_file():
            return SeedPlan(seed, path, "skip", "finished")
        if not evaluate:
            return SeedPlan(seed, path, "skip", "trained")
        return SeedPlan(seed, path, "evaluate", record.failure.reason if record.failure else "trained")
    if record.failure is not None:
        return SeedPlan(seed, path, "retry", f"{record.failure.reason}: {record.failure.detail}")
    if record.attempts:
        saved = max(attempt.to_iteration or 0 for attempt in record.attempts)
        return SeedPlan(seed, path, "resume", f"{record.status}, {saved} iterations saved")
    return SeedPlan(seed, path, "train", "planned before")


def _require_terms(task: TaskSpec) -> None:
    """See before a simulator is built that every term can be computed, and says of its columns what learning needs."""
    # Not before they are needed: they bring torch with them.
    from genelab.envs.terms import check_terms

    check_terms(task)
    from genelab.mdp.mirror import group_images
    from genelab.mdp.term import action_images, joint_columns

    for name in task.agent.groups:
        if task.fresh_joints:
            joint_columns(task.scene, name, task.fresh_joints)
        if task.agent.algorithm == "ppo" and task.agent.symmetry:
            group_images(task.scene, name)
            action_images(task.scene)


def _require_task(path: Path, found: str, task: TaskSpec) -> None:
    if found != task.id:
        raise InputError(f"'{path}' holds task '{found}', not '{task.id}'; choose another --log-dir")


def _refuse_config(log_dir: Path, old: TaskSpec, new: TaskSpec) -> None:
    found = differences(dump(old), dump(new))
    changes = [_change(path, a, b) for path, a, b in found]
    longer = [path for path, _, _ in found] == ["train.iterations"] and new.train.iterations > old.train.iterations
    more = f"; to go on with its seeds, give --extend {log_dir} and another --log-dir" if longer else ""
    raise InputError(
        f"'{log_dir}' was launched with another configuration: {'; '.join(changes)}. "
        f"Undo the change or choose another --log-dir{more}"
    )


def require_execution(record: RunRecord, execution: ExecutionCfg) -> None:
    """Raises InputError if a seed that was started is to go on with another device or number of threads."""
    if not record.attempts:
        return
    requested, resolved = record.execution.requested, record.execution.resolved_device
    changes: list[str] = []
    if execution.device not in (requested.device, resolved):
        changes.append(_change("device", requested.device, execution.device))
    if execution.threads != requested.threads:
        changes.append(_change("threads", requested.threads, execution.threads))
    if changes:
        raise InputError(
            f"seed {record.seed} was started with other options, float sums would change: {'; '.join(changes)}"
        )


def _require_parent(record: RunRecord, parent: ParentRef | None) -> None:
    """A seed that was created goes on from what it was created with."""
    old, new = record.parent and record.parent.sha256, parent and parent.sha256
    if old != new:
        raise InputError(f"seed {record.seed} was started from another checkpoint: {_change('sha256', old, new)}")


def _told(choice: Choice) -> str:
    digest = f", sha256 {choice.sha256}" if choice.sha256 else ""
    return f"{canonical_json(choice.value)} ({choice.what}{digest})"


def _change(path: str, old: Any, new: Any) -> str:
    return f"{path}: {canonical_json(old)} -> {canonical_json(new)}"
