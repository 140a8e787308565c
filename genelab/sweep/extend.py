"""Goes on with trained seeds in a new sweep: the same configuration with more iterations.

A seed of the new sweep begins as a copy of its parent that was interrupted before its last iteration. It becomes what
the parent would have become with that many iterations from the start, to the last bit.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genelab.config.overrides import Override, apply_overrides
from genelab.config.run import ExecutionCfg
from genelab.config.snapshot import config_sha256, dump_task
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records import names
from genelab.records.files import read_record, sha256_file
from genelab.records.sweep import SweepRecord
from genelab.runs.files import disk_errors, write_json
from genelab.runs.lock import locked
from genelab.runs.run_dir import RunDir
from genelab.sweep.plan import SweepPlan, parent_ref, require_execution, seed_dir

BUDGET = "train.iterations"
"""The one path of the configuration that an extension changes."""


@dataclass(frozen=True)
class Extension:
    """Trained seeds, and the task that they go on with."""

    parent: Path
    """Directory of their sweep."""
    task: TaskSpec
    """The task of their snapshot, with more iterations."""
    overrides: tuple[Override, ...]
    """Theirs, with that of the iterations."""
    seeds: tuple[int, ...]
    """The seeds."""
    done: int
    """Iterations behind them."""


def extension_of(
    parent: Path, task_id: str, iterations: int, seeds: Sequence[int] | None, execution: ExecutionCfg
) -> Extension:
    """What `--extend` asks for. Writes nothing.

    Args:
        parent: directory of a sweep.
        task_id: its task.
        iterations: of the last stage, those of the parent included.
        seeds: of the parent; None for all.
        execution: what the seeds are to go on with.

    Raises:
        InputError: if there is no such sweep, it is of another task, a seed is not trained or has no state to go on
            from or another device or number of threads, its policy was changed, or the iterations are not more.
    """
    sweep = read_record(parent / names.SWEEP, SweepRecord)
    chosen = tuple(seeds or sweep.seeds_planned)
    tasks = {seed: _require_trained(RunDir(seed_dir(parent, seed)), task_id, execution) for seed in chosen}
    old = tasks[chosen[0]]
    given = RunDir(seed_dir(parent, chosen[0])).load().overrides
    if iterations <= old.train.iterations:
        rule = f"must be above the {old.train.iterations} of '{parent}', which count"
        raise InputError(f"--iterations {iterations}: {rule}")
    task, (more,) = apply_overrides(old, [], {"--iterations": (BUDGET, iterations)})
    earlier = next((override for override in given if override.path == BUDGET), more)
    kept = tuple(override for override in given if override.path != BUDGET)
    return Extension(parent, task, (*kept, more.model_copy(update={"old": earlier.old})), chosen, old.all_iterations)


def _require_trained(run_dir: RunDir, task_id: str, execution: ExecutionCfg) -> TaskSpec:
    record, task = run_dir.load(), run_dir.task()
    where = f"--extend: '{run_dir.path}'"
    if record.task != task_id:
        raise InputError(f"{where} is of task '{record.task}', not '{task_id}'")
    if record.checkpoint is None:
        raise InputError(f"{where} is not trained to its end; the command that began it goes on with it")
    if record.parent is not None:
        raise InputError(f"{where} was started from a checkpoint; start from {record.checkpoint.path} by --checkpoint")
    if not run_dir.resume_state(None).is_file():
        raise InputError(f"{where} has no state to go on from, {run_dir.resume_state(None).relative_to(run_dir.path)}")
    if sha256_file(run_dir.path / record.checkpoint.path) != record.checkpoint.sha256:
        raise InputError(f"{where}: {record.checkpoint.path} was changed since it was trained")
    require_execution(record, execution)
    return task


def told(plan: SweepPlan, parent: Path) -> SweepPlan:
    """The plan, whose new seeds say where they go on from.

    Raises:
        InputError: if a seed was planned there before, and would begin anew.
    """
    if strange := next((seed for seed in plan.seeds if seed.action == "train" and seed.run_dir.exists()), None):
        raise InputError(f"'{strange.run_dir.path}' holds a seed that goes on from nothing; choose another --log-dir")
    seeds = (
        dataclasses.replace(seed, why=f"goes on from '{seed_dir(parent, seed.seed)}'")
        if seed.action == "train"
        else seed
        for seed in plan.seeds
    )
    return dataclasses.replace(plan, seeds=tuple(seeds))


def begin(plan: SweepPlan, extension: Extension, command: Sequence[str]) -> None:
    """Make the directory of each new seed, as if it had been interrupted at the end of its parent.

    Raises:
        InputError: if the directory of the sweep is in use or cannot be written, or a state cannot be read.
        RunError: if the disk is full.
    """
    with disk_errors(plan.log_dir):
        plan.log_dir.mkdir(parents=True, exist_ok=True)
    with locked(plan.log_dir):
        # Of killed processes: the lock is ours.
        for leftover in plan.log_dir.glob(f"{names.DRAFT}*"):
            shutil.rmtree(leftover)
        for seed in plan.seeds:
            if not seed.run_dir.exists():
                _begin_seed(RunDir(seed_dir(extension.parent, seed.seed)), seed.run_dir, plan, command)


def _begin_seed(parent: RunDir, child: RunDir, plan: SweepPlan, command: Sequence[str]) -> None:
    # Brings torch with it.
    from genelab.learn.state import load_state, save_state
    from genelab.worker.training import RESUME

    record = parent.load()
    assert record.checkpoint is not None, "checked before"
    with disk_errors(child.path):
        draft = RunDir(Path(tempfile.mkdtemp(prefix=names.DRAFT, dir=plan.log_dir)))
        try:
            draft.params.mkdir()
            draft.resume.mkdir()
            events = parent.path.glob("events.out.tfevents*")
            stages = (parent.path / stage.checkpoint.path for stage in record.stages)
            for file in (parent.curve, *stages, *events):
                shutil.copyfile(file, draft.path / file.name)
            for part, data in dump_task(plan.task).items():
                write_json(draft.params / f"{part}.json", data)
            state = load_state(parent.resume_state(None), RESUME)
            save_state(draft.resume_state(None), RESUME, {**state, "config_sha256": plan.config_sha256})
            draft.save(
                record.replace(
                    config_sha256=config_sha256(plan.task),
                    seeds_planned=plan.planned,
                    command=tuple(command),
                    overrides=plan.overrides,
                    extends=parent_ref(parent, None, record.checkpoint, plan.log_dir),
                    status="interrupted",
                    checkpoint=None,
                    timing=None,
                )
            )
            draft.path.chmod(0o755)
            child.keep_files(plan.task)
            draft.path.rename(child.path)
        finally:
            shutil.rmtree(draft.path, ignore_errors=True)
