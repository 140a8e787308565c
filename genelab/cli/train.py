"""`genelab train`."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
from click.core import ParameterSource

from genelab.cli.options import ENGINE, FieldType, cfg_options, field_option, progress_options
from genelab.cli.tasks import CONFIG, SET, TASK, VARIANT
from genelab.config.commands import StoreCfg
from genelab.config.run import ExecutionCfg, ExecutorCfg, LaunchCfg, LoggerName
from genelab.config.scene import EngineName
from genelab.config.stage import TrainCfg
from genelab.progress import VERBOSE, Verbosity
from genelab.sweep.plan import SweepPlan, make_plan
from genelab.sweep.request import plan_training
from genelab.worker.loggers import require_installed

if TYPE_CHECKING:
    from genelab.sweep.executors import Executor
    from genelab.sweep.extend import Extension

FIXED = {
    "variant": "--variant",
    "engine": "--engine",
    "num_envs": "--num-envs",
    "config": "--config",
    "assignments": "--set",
    "checkpoint": "--checkpoint",
}
"""Options that say what is trained, which an extension takes from its parent."""


ONLY_RAY = {"address": "--address", "other_machine": "--other-machine", "max_attempts": "--max-attempts"}
"""Options that mean something to a Ray cluster alone."""


@click.command
@TASK
@VARIANT
@field_option("--seeds", LaunchCfg, "seeds", metavar="S,S,...")
@click.option("--seed", type=FieldType(LaunchCfg, "seeds"), metavar="S", help="One training seed, instead of --seeds.")
@field_option("--parallel", LaunchCfg, "parallel")
@field_option("--log-dir", LaunchCfg, "log_dir", metavar="DIR")
@ENGINE
@cfg_options("execution", ExecutionCfg, "device", "threads", "nan_policy", "max_env_resets", "video_every")
@cfg_options("where", ExecutorCfg, "executor", "address", "gpus", "other_machine")
@field_option("--max-attempts", LaunchCfg, "max_attempts")
@field_option("--iterations", TrainCfg, "iterations")
@field_option("--num-envs", TrainCfg, "num_envs")
@CONFIG
@SET
@click.option(
    "--checkpoint",
    metavar="CKPT",
    help="Start every seed from a policy of another training, in place of the stages before the task.",
)
@click.option(
    "--extend",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Go on with the trained seeds of the sweep in DIR, up to --iterations in all, in a new --log-dir.",
)
@click.option(
    "--log",
    "loggers",
    multiple=True,
    type=click.Choice(get_args(LoggerName)),
    help="Log the curve and the results there too, offline unless the library's own environment variable says "
    "otherwise. Repeatable; tensorboard if not given.",
)
@click.option("--no-eval", is_flag=True, help="Do not evaluate the trained seeds.")
@click.option("--dry-run", is_flag=True, help="Print the resolved plan and touch nothing.")
@progress_options
def command(
    task_id: str,
    variant: str | None,
    seeds: tuple[int, ...],
    seed: tuple[int, ...] | None,
    parallel: int,
    log_dir: str,
    engine: EngineName | None,
    execution: ExecutionCfg,
    where: ExecutorCfg,
    max_attempts: int,
    iterations: int | None,
    num_envs: int | None,
    config: Path | None,
    assignments: tuple[str, ...],
    checkpoint: str | None,
    extend: Path | None,
    loggers: tuple[LoggerName, ...],
    no_eval: bool,
    dry_run: bool,
    verbosity: Verbosity,
) -> int:
    """Train a task on several seeds and evaluate each.

    The same command again finishes what is unfinished and skips what is done. `genelab info TASK` lists the paths that
    --set and --config take; --iterations, --num-envs and --engine are short for some of them, the last for every
    stage. A seed is trained in the stages of the task first; `--set stages=[]` leaves them out.
    """
    if loggers:
        require_installed(loggers)
        execution = execution.model_copy(update={"log": tuple(dict.fromkeys(loggers))})
    _require_executor(where)
    cfg = LaunchCfg(
        seeds=_seeds(seeds, seed),
        parallel=parallel,
        log_dir=log_dir,
        evaluate=not no_eval,
        max_attempts=max_attempts,
    )
    if extend is not None:
        return _extend(extend, task_id, iterations, execution, where, cfg, dry_run, verbosity)
    plan = plan_training(
        task_id,
        variant,
        execution,
        cfg,
        engine=engine,
        iterations=iterations,
        num_envs=num_envs,
        config=config,
        assignments=assignments,
        checkpoint=checkpoint,
        here=where.executor == "local",
    )
    return _launch(plan, where, dry_run, verbosity)


def _launch(
    plan: SweepPlan, where: ExecutorCfg, dry_run: bool, verbosity: Verbosity, extension: "Extension | None" = None
) -> int:
    from genelab.sweep.estimate import estimate

    done = 0 if extension is None else extension.done
    plan, executor, cluster = _executor(plan, where)
    here = where.executor == "local"
    told = "\n".join([*plan.lines(here), *cluster, f"estimate   {estimate(plan, StoreCfg().store, done=done)}"])
    if dry_run:
        click.echo(told)
        return 0

    from genelab.sweep.launcher import launch
    from genelab.sweep.live import only_shown, view_for

    if verbosity == "verbose":
        os.environ[VERBOSE] = "1"
    view = view_for(plan, verbosity)
    if verbosity != "quiet":
        with only_shown():
            click.echo(told)
    # Not where this machine keeps the script.
    argv = ["genelab", *sys.argv[1:]]
    if extension is not None:
        from genelab.sweep.extend import begin

        begin(plan, extension, argv)
    if executor is None:
        from genelab.sweep.executors.slurm import submit

        return submit(plan, argv, where)
    return launch(plan, argv, view, executor)


def _executor(plan: SweepPlan, where: ExecutorCfg) -> "tuple[SweepPlan, Executor | None, list[str]]":
    """The plan with its seeds at a time, what runs them, and lines on it; None for Slurm, which nobody waits for."""
    given = click.get_current_context().get_parameter_source("parallel") != ParameterSource.DEFAULT
    if where.executor == "local":
        from genelab.sweep.executors.local import LocalExecutor

        return plan, LocalExecutor(), []
    if where.executor == "ray":
        from genelab.sweep.executors.ray import RayExecutor

        executor = RayExecutor(plan.task, plan.execution, where)
        return (plan if given else _at_a_time(plan, executor.slots)), executor, executor.lines()
    from genelab.sweep.executors.slurm import scripts

    plan = plan if given else _at_a_time(plan, len(plan.seeds))
    texts = scripts(plan, where) if any(seed.action != "skip" for seed in plan.seeds) else {}
    return plan, None, [line for name, text in texts.items() for line in (f"--- {name}", *text.splitlines())]


def _at_a_time(plan: SweepPlan, parallel: int) -> SweepPlan:
    return dataclasses.replace(plan, cfg=plan.cfg.model_copy(update={"parallel": parallel}))


def _require_executor(where: ExecutorCfg) -> None:
    """An option of another executor would have no effect."""
    context = click.get_current_context()
    given = {name for name in (*ONLY_RAY, "gpus") if context.get_parameter_source(name) != ParameterSource.DEFAULT}
    if where.executor != "ray" and (strange := given & set(ONLY_RAY)):
        raise click.UsageError(f"{ONLY_RAY[min(strange)]} needs --executor ray")
    if where.executor == "local" and "gpus" in given:
        raise click.UsageError("--gpus needs --executor ray or slurm")
    if where.executor == "ray" and where.address is None:
        raise click.UsageError("--executor ray needs --address HOST:PORT")


def _extend(
    parent: Path,
    task_id: str,
    iterations: int | None,
    execution: ExecutionCfg,
    where: ExecutorCfg,
    cfg: LaunchCfg,
    dry_run: bool,
    verbosity: Verbosity,
) -> int:
    """Go on with trained seeds. All but the iterations is as it was."""
    from genelab.sweep.extend import extension_of, told
    from genelab.sweep.request import require_ready

    context = click.get_current_context()
    given = [name for name in FIXED if context.get_parameter_source(name) != ParameterSource.DEFAULT]
    if given:
        raise click.UsageError(f"{FIXED[given[0]]} cannot change what --extend goes on with")
    if iterations is None:
        raise click.UsageError("--extend needs --iterations: how many in all")
    chosen = any(context.get_parameter_source(name) != ParameterSource.DEFAULT for name in ("seeds", "seed"))
    extension = extension_of(parent, task_id, iterations, cfg.seeds if chosen else None, execution)
    cfg = cfg.model_copy(update={"seeds": extension.seeds})
    plan = make_plan(extension.task, extension.overrides, execution, cfg)
    require_ready(plan, execution, here=where.executor == "local")
    return _launch(told(plan, parent), where, dry_run, verbosity, extension)


def _seeds(seeds: tuple[int, ...], seed: tuple[int, ...] | None) -> tuple[int, ...]:
    if seed is None:
        return seeds
    if click.get_current_context().get_parameter_source("seeds") != ParameterSource.DEFAULT:
        raise click.UsageError("--seed and --seeds exclude each other")
    if len(seed) > 1:
        raise click.UsageError("--seed takes one seed; --seeds takes several")
    return seed
