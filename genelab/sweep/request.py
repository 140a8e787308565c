"""What a user asks of a training, resolved into its plan: the same for the command line and the library."""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from genelab.config.env import EnvCfg
from genelab.config.override_file import read_overrides
from genelab.config.overrides import STAGES, apply_overrides, from_environment
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.scene import EngineName
from genelab.registry import get_task
from genelab.runs.find import find_policy
from genelab.sweep.plan import SweepPlan, make_plan


def plan_training(
    task_id: str,
    variant: str | None,
    execution: ExecutionCfg,
    cfg: LaunchCfg,
    *,
    engine: EngineName | None = None,
    iterations: int | None = None,
    num_envs: int | None = None,
    config: Path | None = None,
    assignments: Sequence[str] = (),
    checkpoint: str | None = None,
    here: bool = True,
) -> SweepPlan:
    """Resolve a training. Reads the directory, writes nothing.

    Args:
        task_id: the task.
        variant: a variant of it.
        execution: device and threads.
        cfg: the launch.
        engine: a simulator in place of the task's, for every stage.
        iterations: in place of the task's own.
        num_envs: in place of the task's own.
        config: file of overrides.
        assignments: `path=value` of the task.
        checkpoint: policy of another training that every seed starts from, as for `find_policy`.
        here: whether the seeds run on this machine.

    Raises:
        InputError: as `make_plan`, `find_policy` and `apply_overrides`.
    """
    short = {"--iterations": ("train.iterations", iterations), "--num-envs": ("train.num_envs", num_envs)}
    options: dict[str, tuple[str, JsonValue]] = {
        name: (path, value) for name, (path, value) in short.items() if value is not None
    }
    registered = get_task(task_id, variant)
    of_file = {} if config is None else read_overrides(config)
    options |= of_file | from_environment(registered, assignments, os.environ, of_file)
    from_scratch = any(a.startswith("stages=") for a in assignments) or STAGES in dict(of_file.values())
    if checkpoint is not None and registered.stages and not from_scratch:
        options["--checkpoint"] = (STAGES, [])
    if engine is not None and isinstance(registered.on(engine).env, EnvCfg):
        options["--engine"] = ("env.sim.engine", engine)
        for stage in () if from_scratch or checkpoint else registered.stages:
            options[f"--engine, of stage {stage},"] = (f"stages.{stage}.env.sim.engine", engine)
    task, overrides = apply_overrides(registered, assignments, options)
    start = None if checkpoint is None else find_policy(checkpoint).checkpoint
    plan = make_plan(task, overrides, execution, cfg, start)
    require_ready(plan, execution, here)
    return plan


def require_ready(plan: SweepPlan, execution: ExecutionCfg, here: bool = True) -> None:
    """See that demonstrations and devices are there before anything is written, or each seed would say it again.

    Devices only if the seeds run `here`.

    Raises:
        InputError: if they are not.
    """
    if not plan.trains:
        return
    from genelab.jobs.demonstrations import checked_demonstrations
    from genelab.sim.make import require_device

    checked_demonstrations(plan.task)
    for _, stage in plan.task.line() if here else ():
        require_device(execution.device, stage.env.engine)
