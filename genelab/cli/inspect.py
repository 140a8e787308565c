"""`genelab inspect`."""

import json
from pathlib import Path

import click
from click.core import ParameterSource

from genelab import progress
from genelab.cli.options import ENGINE, EXECUTION, as_registered, cfg_options, is_task, progress_options
from genelab.config.inspection import InspectCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.progress import Verbosity
from genelab.records.inspection import Inspection
from genelab.runs.files import require_apart, require_writable
from genelab.runs.find import find_policy, is_published

DEMOS = ".safetensors"
"""Ending of a demonstration file."""
OF_A_ROLLOUT = ("num_envs", "steps", "seed", "engine", "device", "threads")
"""Options without a meaning for a demonstration file."""


@click.command
@click.argument("target", metavar="TARGET")
@cfg_options("cfg", InspectCfg, "num_envs", "steps", "seed")
@ENGINE
@EXECUTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="DIR", help="Draw one picture per group into DIR.")
@click.option("--strict", is_flag=True, help="Exit with code 1 if anything is flagged.")
@progress_options
def command(
    target: str,
    cfg: InspectCfg,
    engine: EngineName | None,
    execution: ExecutionCfg,
    as_json: bool,
    plot: Path | None,
    strict: bool,
    verbosity: Verbosity,
) -> int:
    """Show what a policy reads and does, and flag what looks wrong.

    TARGET is a task (random actions); a checkpoint, the directory of a seed or an entry of the store,
    `TASK/ENTRY/seed_N` (its own actions, under the run's snapshot); or a demonstration file (.safetensors). What a task
    leaves open comes from its environment variable, as for a training.
    """
    if plot is not None:
        require_writable(plot)
        require_apart("--plot", plot)
    inspection = _inspect(target, cfg, execution, engine, verbosity)
    if as_json:
        click.echo(json.dumps(inspection.model_dump(mode="json"), indent=2))
    else:
        from genelab.show.inspection_table import lines

        for line in lines(inspection):
            click.echo(line)
    if plot is not None:
        from genelab.show.inspection_picture import write_pictures

        for path in write_pictures(inspection, plot):
            click.echo(f"wrote {path}", err=as_json)
    return 1 if strict and inspection.flags() else 0


def _inspect(
    target: str, cfg: InspectCfg, execution: ExecutionCfg, engine: EngineName | None, verbosity: Verbosity
) -> Inspection:
    path = Path(target)
    if _is_task(target):
        task = as_registered(target)

        with progress.shown(verbosity):
            from genelab.inspection.rollout import inspect_task

            return inspect_task(task.on(engine), cfg, execution)
    if path.suffix == DEMOS:
        _refuse_options_of_a_rollout()

        from genelab.inspection.demos import inspect_demos

        return inspect_demos(path)
    found = find_policy(path)

    with progress.shown(verbosity):
        from genelab.inspection.rollout import inspect_checkpoint

        return inspect_checkpoint(found.run_dir, found.checkpoint, cfg, execution, engine)


def _is_task(target: str) -> bool:
    """Whether a target is a task, or rather that than a file or an entry, should it be none of them."""
    path = Path(target)
    return is_task(target) or not (path.suffix or path.exists() or is_published(target))


def _refuse_options_of_a_rollout() -> None:
    context = click.get_current_context()
    given = [n for n in OF_A_ROLLOUT if context.get_parameter_source(n) != ParameterSource.DEFAULT]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise click.UsageError(f"{option} is about a rollout; a demonstration file needs none")
