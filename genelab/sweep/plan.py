"""What a launch will do to each seed, decided before anything is written."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genelab.config.base import Choice
from genelab.config.choices import choices, require_made
from genelab.config.overrides import Override
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.snapshot import canonical_json, config_sha256, differences, dump_task
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records import names
from genelab.records.demo_check import demonstrations_of
from genelab.records.eval import EvalRecord
from genelab.records.run import RunRecord, foreign_start
from genelab.records.sweep import SweepRecord
from genelab.runs.files import TEMPORARIES, read_record, require_writable
from genelab.runs.hardware import usable_cores
from genelab.runs.run_dir import RunDir
from genelab.sweep.parents import parent_of

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
class Start:
    """What the seeds of a sweep start from: one file for all, or what the stage before left for each."""

    file: Path | None = None
    """One checkpoint for all; None for the stage before."""
    stage: Path | None = None
    """Directory of the sweep of the stage before."""

    def checkpoint(self, seed: int) -> Path:
        """File that a seed starts from."""
        if self.file is not None:
            return self.file
        assert self.stage is not None
        return RunDir(seed_dir(self.stage, seed)).final_checkpoint

    def is_there(self, seed: int) -> bool:
        """Whether the file exists and its training is done."""
        if self.stage is not None:
            run_dir = RunDir(seed_dir(self.stage, seed))
            # The file is there before it is known to be right.
            if not run_dir.exists() or run_dir.load().checkpoint is None:
                return False
        return self.checkpoint(seed).is_file()

    def told(self) -> str:
        """Where, as text."""
        return str(self.file) if self.file is not None else f"the final policy of each seed in {self.stage}"


@dataclass(frozen=True)
class SweepPlan:
    """A launch, resolved and checked against what the directory holds."""

    task: TaskSpec
    overrides: tuple[Override, ...]
    config_sha256: str
    log_dir: Path
    execution: ExecutionCfg
    cfg: LaunchCfg
    seeds: tuple[SeedPlan, ...]
    """The seeds of this launch."""
    planned: tuple[int, ...]
    """Every seed of the sweep, those of earlier launches included."""
    start: Start | None = None
    """Where the checkpoints are that the seeds start from; None for training from scratch."""
    lost: tuple[int, ...] = ()
    """Planned seeds that the stage before left no policy for."""

    @property
    def trains(self) -> bool:
        """Whether any seed trains."""
        return any(seed.action in ("train", "resume", "retry") for seed in self.seeds)

    @property
    def sweep_file(self) -> Path:
        """Path of sweep.json."""
        return self.log_dir / names.SWEEP

    def ready(self) -> "tuple[SweepPlan, list[int]]":
        """The plan of the seeds that have something to start from, and the others, once the stage before has ended."""
        if self.start is None or self.start.file is not None:
            return self, []
        lost = [s.seed for s in self.seeds if s.action != "skip" and not self.start.is_there(s.seed)]
        kept = tuple(seed for seed in self.seeds if seed.seed not in lost)
        if not lost or not kept:
            return dataclasses.replace(self, seeds=kept), lost
        return dataclasses.replace(self, seeds=kept, lost=tuple(lost)), lost

    def _foreign(self) -> list[str]:
        """A line if the seeds start from something else than the stage before: what they learn is no reference."""
        if self.start is None or self.start.file is None:
            return []
        before, file = self.task.stage_before, self.start.file
        parent = parent_of(file, self.seeds[0].path, self.task)
        if not foreign_start(before, parent):
            return []
        named = "no stage before" if before is None else f"the stage before {before[0]}"
        return [f"warning: '{file}' is of {parent.task}; the task names {named} as registered"]

    def lines(self) -> list[str]:
        """The plan as text."""
        budget, agent, envs = self.task.train.iterations, self.task.agent, self.task.train.num_envs
        lines = [
            f"task       {self.task.id} (version {self.task.task_version})"
            + (f", variant {self.task.variant}" if self.task.variant else ""),
            f"config     {self.config_sha256}",
            *(
                f"override   {_change(o.path, o.old, o.new)}{'' if o.effective else ' (no effect)'}"
                for o in self.overrides
            ),
            *(f"choice     {path}: {_told(choice)}" for path, choice in choices(self.task)),
            f"budget     {budget} iterations x {agent.num_steps_per_env} steps x {envs} environments",
            f"device     {self.execution.device}, {self.execution.threads} CPU thread(s) per seed, "
            f"{self.cfg.parallel} seed(s) at a time",
            f"directory  {self.log_dir}",
            *([f"start      {self.start.told()}"] if self.start else []),
            *self._foreign(),
            *(f"seed {s.seed:<5} {s.action}: {s.why}" for s in self.seeds),
        ]
        wanted, cores = min(self.cfg.parallel, len(self.seeds)) * self.execution.threads, usable_cores()
        if wanted > cores:
            lines.append(f"warning: {wanted} threads at a time on {cores} usable core(s) slow each other down")
        return lines


def make_plan(
    task: TaskSpec,
    overrides: Sequence[Override],
    execution: ExecutionCfg,
    cfg: LaunchCfg,
    start: Start | None = None,
    lost: tuple[int, ...] = (),
) -> SweepPlan:
    """Resolve a launch. Reads the directory, writes nothing.

    Args:
        task: what is to be trained.
        overrides: what the command line changed in it.
        execution: device and threads.
        cfg: the launch.
        start: where the checkpoints are that the seeds start from; None for training from scratch.
        lost: seeds of the launch that the stage before left no policy for. They are planned, and not trained.

    Raises:
        InputError: if the task leaves a choice open, a term does not fit its function, an observation has no mirror
            image, its demonstrations do not fit, the directory cannot be written, or holds another task or
            configuration or a broken record, or a started seed ran on another device or number of threads.
    """
    require_made(task)
    _require_terms(task)
    demonstrations_of(task)
    log_dir = log_dir_of(task, cfg)
    require_writable(log_dir)
    snapshot = dump_task(task)
    sha256 = config_sha256(snapshot)
    sweep_file = log_dir / names.SWEEP
    earlier = read_record(sweep_file, SweepRecord) if sweep_file.exists() else None
    planned = tuple(dict.fromkeys((*(earlier.seeds_planned if earlier else ()), *cfg.seeds)))
    found = {seed: run for seed in planned if (run := RunDir(seed_dir(log_dir, seed))).exists()}
    records = {seed: run.load() for seed, run in found.items()}
    for seed, record in records.items():
        _require_task(found[seed].path, record.task, task)
        if record.seed != seed:
            raise InputError(f"'{found[seed].path}' holds seed {record.seed}")
        if record.config_sha256 != sha256:
            _refuse_config(log_dir, found[seed].snapshot(), snapshot)
        _require_execution(record, execution)
        if record.status == "finished" and found[seed].eval_file.is_file():
            read_record(found[seed].eval_file, EvalRecord)
    if earlier:
        _require_task(log_dir, earlier.task, task)
        if earlier.config_sha256 != sha256:
            raise InputError(
                f"'{log_dir}' was launched with another configuration: config_sha256 "
                f"{earlier.config_sha256} -> {sha256}. Choose another --log_dir"
            )
    here = [seed for seed in cfg.seeds if seed not in lost]
    seeds = tuple(_plan_seed(seed, seed_dir(log_dir, seed), records.get(seed), cfg.evaluate) for seed in here)
    for seed, record in records.items():
        _require_start(record, found[seed].path, task, start)
    return SweepPlan(task, tuple(overrides), sha256, log_dir, execution, cfg, seeds, planned, start, lost)


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
            raise InputError(f"'{path}' holds no run.json but {foreign[0]}; move it away or choose another --log_dir")
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
        return SeedPlan(
            seed, path, "resume", f"{record.status}, {record.attempts[-1].to_iteration or 0} iterations saved"
        )
    return SeedPlan(seed, path, "train", "planned before")


def _require_terms(task: TaskSpec) -> None:
    """See before a simulator is built that every term can be computed, and says of its columns what learning needs."""
    # Not before they are needed: they bring torch with them.
    from genelab.envs.terms import check_terms

    check_terms(task)
    from genelab.mdp.mirror import group_images
    from genelab.mdp.term import action_images, joint_columns

    start = task.warm_start
    for name in task.agent.groups:
        if start is not None:
            joint_columns(task.env, name, start.fresh_joints)
        if task.agent.algorithm == "ppo" and task.agent.symmetry:
            group_images(task.env, name)
            action_images(task.env)


def _require_task(path: Path, found: str, task: TaskSpec) -> None:
    if found != task.id:
        raise InputError(f"'{path}' holds task '{found}', not '{task.id}'; choose another --log_dir")


def _refuse_config(log_dir: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = [_change(path.removeprefix("task."), a, b) for path, a, b in differences(old, new)]
    raise InputError(
        f"'{log_dir}' was launched with another configuration: {'; '.join(changes)}. "
        "Undo the change or choose another --log_dir"
    )


def _require_execution(record: RunRecord, execution: ExecutionCfg) -> None:
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


def _require_start(record: RunRecord, path: Path, task: TaskSpec, start: Start | None) -> None:
    """A seed that was created goes on from what it was created with."""
    old = record.parent and record.parent.sha256
    new: str | None = None
    if start is not None and start.is_there(record.seed):
        new = parent_of(start.checkpoint(record.seed), path, task).sha256
    elif start is not None and old is not None:
        if record.checkpoint is not None:
            # Nothing is left to be taken over.
            return
        raise InputError(f"seed {record.seed} was started from '{start.checkpoint(record.seed)}', which is missing")
    if old != new:
        raise InputError(f"seed {record.seed} was started from another checkpoint: {_change('sha256', old, new)}")


def _told(choice: Choice) -> str:
    digest = f", sha256 {choice.sha256}" if choice.sha256 else ""
    return f"{canonical_json(choice.value)} ({choice.what}{digest})"


def _change(path: str, old: Any, new: Any) -> str:
    return f"{path}: {canonical_json(old)} -> {canonical_json(new)}"
