"""Training in stages: the sweep of each stage before comes first, in a folder of the sweep that starts from it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from genelab.config.overrides import Override, apply_overrides
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.run import ParentRef
from genelab.registry import get_task
from genelab.sweep.parents import parent_of, require_fits, stage_dir
from genelab.sweep.plan import Start, SweepPlan, log_dir_of, make_plan, seed_dir


def plan_stages(
    task: TaskSpec,
    overrides: Sequence[Override],
    execution: ExecutionCfg,
    cfg: LaunchCfg,
    *,
    checkpoint: Path | None = None,
    stage_assignments: Sequence[str] = (),
) -> list[SweepPlan]:
    """Resolve a launch into one plan for each stage, in order. Reads directories, writes nothing.

    Args:
        task: what is to be trained.
        overrides: what the command line changed in it.
        execution: device and threads.
        cfg: the launch.
        checkpoint: file that all seeds start from, in place of the stage before.
        stage_assignments: `PATH=VALUE` changes of the stage before.

    Raises:
        InputError: as `make_plan`, or if the checkpoint or the stage before does not fit the task.
    """
    log_dir = log_dir_of(task, cfg)
    if checkpoint is not None or task.warm_start is None:
        if stage_assignments:
            raise InputError(f"--stage-set {stage_assignments[0]}: '{task.id}' is not trained from a stage before here")
        start = None
        if checkpoint is not None:
            for seed in cfg.seeds:
                parent = parent_of(checkpoint, seed_dir(log_dir, seed), task)
                if task.stage_before not in (None, (parent.task, parent.variant)):
                    _refuse_stage(checkpoint, parent, task)
            start = Start(file=checkpoint)
        return [make_plan(task, overrides, execution, cfg, start)]
    registered = get_task(task.warm_start.task, task.warm_start.variant)
    before, changes = apply_overrides(registered, stage_assignments, setter="--stage-set")
    require_fits(before, task, f"warm_start.task = '{before.id}'")
    stage = stage_dir(log_dir, before)
    earlier = plan_stages(before, changes, execution, cfg.model_copy(update={"log_dir": str(stage)}))
    return [*earlier, make_plan(task, overrides, execution, cfg, Start(stage=stage))]


def _refuse_stage(checkpoint: Path, parent: ParentRef, task: TaskSpec) -> NoReturn:
    assert task.warm_start is not None
    found, wanted = (
        f"{name}, variant {variant}" if variant else name
        for name, variant in ((parent.task, parent.variant), (task.warm_start.task, task.warm_start.variant))
    )
    raise InputError(
        f"--checkpoint '{checkpoint}' is of {found}: '{task.id}' starts from {wanted}; "
        "--set warm_start=null lets it start from any policy that fits"
    )
