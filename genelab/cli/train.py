"""`genelab train`."""

import os
import sys

import click
from click.core import ParameterSource

from genelab.cli.options import ENGINE, VARIANT, FieldType, cfg_options, field_option, progress_options
from genelab.config.commands import StoreCfg
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.scene import EngineName
from genelab.config.stage import TrainCfg
from genelab.progress import VERBOSE, Verbosity
from genelab.sweep.request import plan_training


@click.command
@click.argument("task_id", metavar="TASK")
@VARIANT
@field_option("--seeds", LaunchCfg, "seeds", metavar="S,S,...")
@click.option("--seed", type=FieldType(LaunchCfg, "seeds"), metavar="S", help="One training seed, instead of --seeds.")
@field_option("--parallel", LaunchCfg, "parallel")
@field_option("--log-dir", LaunchCfg, "log_dir", metavar="DIR")
@ENGINE
@cfg_options("execution", ExecutionCfg, "device", "threads", "nan_policy", "max_env_resets")
@field_option("--iterations", TrainCfg, "iterations")
@field_option("--num-envs", TrainCfg, "num_envs")
@click.option(
    "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Change a value of the task. Repeatable."
)
@click.option(
    "--checkpoint",
    metavar="CKPT",
    help="Start every seed from a policy of another training, in place of the stages before the task.",
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
    assignments: tuple[str, ...],
    checkpoint: str | None,
    no_eval: bool,
    dry_run: bool,
    verbosity: Verbosity,
) -> int:
    """Train a task on several seeds and evaluate each.

    The same command again finishes what is unfinished and skips what is done. `genelab info TASK` lists the paths that
    --set takes; --iterations, --num-envs and --engine are short for some of them, the last for every stage. A seed is
    trained in the stages of the task first; `--set stages=[]` leaves them out.
    """
    cfg = LaunchCfg(seeds=_seeds(seeds, seed), parallel=parallel, log_dir=log_dir, evaluate=not no_eval)
    plan = plan_training(
        task_id,
        variant,
        execution,
        cfg,
        engine=engine,
        iterations=iterations,
        num_envs=num_envs,
        assignments=assignments,
        checkpoint=checkpoint,
    )
    from genelab.sweep.estimate import estimate

    told = "\n".join([*plan.lines(), f"estimate   {estimate(plan, StoreCfg().store)}"])
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
    return launch(plan, ["genelab", *sys.argv[1:]], view, LocalExecutor())


def _seeds(seeds: tuple[int, ...], seed: tuple[int, ...] | None) -> tuple[int, ...]:
    if seed is None:
        return seeds
    if click.get_current_context().get_parameter_source("seeds") != ParameterSource.DEFAULT:
        raise click.UsageError("--seed and --seeds exclude each other")
    if len(seed) > 1:
        raise click.UsageError("--seed takes one seed; --seeds takes several")
    return seed
