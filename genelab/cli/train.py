"""`genelab train`."""

import os
import sys
from pathlib import Path

import click
from click.core import ParameterSource
from pydantic import JsonValue

from genelab.cli.options import ENGINE, VARIANT, FieldType, cfg_options, field_option
from genelab.config.overrides import apply_overrides, from_environment
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.scene import EngineName
from genelab.config.stage import TrainCfg
from genelab.registry import get_task
from genelab.sweep.plan import make_plan


@click.command
@click.argument("task_id", metavar="TASK")
@VARIANT
@field_option("--seeds", LaunchCfg, "seeds", metavar="S,S,...")
@click.option("--seed", type=FieldType(LaunchCfg, "seeds"), metavar="S", help="One training seed, instead of --seeds.")
@field_option("--parallel", LaunchCfg, "parallel")
@field_option("--log-dir", LaunchCfg, "log_dir", metavar="DIR")
@ENGINE
@cfg_options("execution", ExecutionCfg, "device", "threads", "nan_policy", "max_env_resets", "video_every")
@field_option("--iterations", TrainCfg, "iterations")
@field_option("--num-envs", TrainCfg, "num_envs")
@click.option(
    "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Change a value of the task. Repeatable."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Start every seed from a policy of another training, in place of the stages before the task.",
)
@click.option("--no-eval", is_flag=True, help="Do not evaluate the trained seeds.")
@click.option("--dry-run", is_flag=True, help="Print the resolved plan and touch nothing.")
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
    checkpoint: Path | None,
    no_eval: bool,
    dry_run: bool,
) -> int:
    """Train a task on several seeds and evaluate each.

    The same command again finishes what is unfinished and skips what is done. `genelab info TASK` lists the paths that
    --set takes; --iterations, --num-envs and --engine are short for some of them, the last for every stage. A seed is
    trained in the stages of the task first; `--set stages=[]` leaves them out.
    """
    short = {"--iterations": ("train.iterations", iterations), "--num-envs": ("train.num_envs", num_envs)}
    options: dict[str, tuple[str, JsonValue]] = {
        name: (path, value) for name, (path, value) in short.items() if value is not None
    }
    registered = get_task(task_id, variant)
    options |= from_environment(registered, assignments, os.environ)
    from_scratch = any(a.startswith("stages=") for a in assignments)
    if checkpoint is not None and registered.stages and not from_scratch:
        options["--checkpoint"] = ("stages", [])
    if engine is not None:
        options["--engine"] = ("env.sim.engine", engine)
        for stage in () if from_scratch or checkpoint else registered.stages:
            options[f"--engine, of stage {stage},"] = (f"stages.{stage}.env.sim.engine", engine)
    task, overrides = apply_overrides(registered, assignments, options)
    cfg = LaunchCfg(seeds=_seeds(seeds, seed), parallel=parallel, log_dir=log_dir, evaluate=not no_eval)
    plan = make_plan(task, overrides, execution, cfg, checkpoint)
    if plan.trains:
        from genelab.jobs.demonstrations import checked_demonstrations

        # Before anything is written, or each seed would say it again.
        checked_demonstrations(task)
    if dry_run:
        click.echo("\n".join(plan.lines()))
        return 0

    from genelab.sweep.executors.local import LocalExecutor
    from genelab.sweep.launcher import launch
    from genelab.sweep.live import only_shown, view_for

    with only_shown():
        click.echo("\n".join(plan.lines()))
    # Not where this machine keeps the script.
    return launch(plan, ["genelab", *sys.argv[1:]], view_for(plan), LocalExecutor())


def _seeds(seeds: tuple[int, ...], seed: tuple[int, ...] | None) -> tuple[int, ...]:
    if seed is None:
        return seeds
    if click.get_current_context().get_parameter_source("seeds") != ParameterSource.DEFAULT:
        raise click.UsageError("--seed and --seeds exclude each other")
    if len(seed) > 1:
        raise click.UsageError("--seed takes one seed; --seeds takes several")
    return seed
