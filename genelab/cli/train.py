"""`genelab train`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
from click.core import ParameterSource

from genelab.cli.options import ENGINE, FieldType, cfg_options, field_option, progress_options
from genelab.cli.tasks import CONFIG, SET, TASK, VARIANT
from genelab.config.commands import StoreCfg
from genelab.config.run import ExecutionCfg, LaunchCfg, LoggerName
from genelab.config.scene import EngineName
from genelab.config.stage import TrainCfg
from genelab.progress import VERBOSE, Verbosity
from genelab.sweep.plan import SweepPlan, make_plan
from genelab.sweep.request import plan_training
from genelab.worker.loggers import require_installed

if TYPE_CHECKING:
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


@click.command
@TASK
@VARIANT
@field_option("--seeds", LaunchCfg, "seeds", metavar="S,S,...")
@click.option("--seed", type=FieldType(LaunchCfg, "seeds"), metavar="S", help="One training seed, instead of --seeds.")
@field_option("--parallel", LaunchCfg, "parallel")
@field_option("--log-dir", LaunchCfg, "log_dir", metavar="DIR")
@ENGINE
@cfg_options("execution", ExecutionCfg, "device", "threads", "nan_policy", "max_env_resets", "video_every")
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
    cfg = LaunchCfg(seeds=_seeds(seeds, seed), parallel=parallel, log_dir=log_dir, evaluate=not no_eval)
    if extend is not None:
        return _extend(extend, task_id, iterations, execution, cfg, dry_run, verbosity)
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
    )
    return _launch(plan, dry_run, verbosity)


def _launch(plan: SweepPlan, dry_run: bool, verbosity: Verbosity, extension: "Extension | None" = None) -> int:
    from genelab.sweep.estimate import estimate

    done = 0 if extension is None else extension.done
    told = "\n".join([*plan.lines(), f"estimate   {estimate(plan, StoreCfg().store, done=done)}"])
    if dry_run:
        click.echo(told)
        return 0

    from genelab.sweep.executors.local import LocalExecutor
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
    return launch(plan, argv, view, LocalExecutor())


def _extend(
    parent: Path,
    task_id: str,
    iterations: int | None,
    execution: ExecutionCfg,
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
    require_ready(plan, execution)
    return _launch(told(plan, parent), dry_run, verbosity, extension)


def _seeds(seeds: tuple[int, ...], seed: tuple[int, ...] | None) -> tuple[int, ...]:
    if seed is None:
        return seeds
    if click.get_current_context().get_parameter_source("seeds") != ParameterSource.DEFAULT:
        raise click.UsageError("--seed and --seeds exclude each other")
    if len(seed) > 1:
        raise click.UsageError("--seed takes one seed; --seeds takes several")
    return seed
