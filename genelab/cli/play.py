"""`genelab play`."""

import os
from pathlib import Path

import click

from genelab.cli.options import EXECUTION, cfg_options, run_of
from genelab.config.commands import PlayCfg
from genelab.config.overrides import apply_overrides, from_environment
from genelab.config.run import ExecutionCfg
from genelab.registry import get_task


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="[CKPT]", required=False, type=click.Path(path_type=Path))
@cfg_options("cfg", PlayCfg, "engine", "episode", "host", "port")
@EXECUTION
def command(task_id: str, checkpoint: Path | None, cfg: PlayCfg, execution: ExecutionCfg) -> None:
    """Watch and steer a policy live in the browser.

    CKPT lies in its run directory, whose other checkpoints can be chosen in the page as well. Without one, the task as
    registered is shown, with idle and random actions. Episodes are those of the evaluation. On a remote machine,
    forward the port: ssh -L 8080:localhost:8080 MACHINE.
    """
    run_dir = None if checkpoint is None else run_of(task_id, checkpoint)
    if run_dir is None:
        task = get_task(task_id)
        task, _ = apply_overrides(task, (), from_environment(task, (), os.environ))
    else:
        task = run_dir.task()

    from genelab.play.play import open_page, play

    page = open_page(task, cfg, execution, run_dir, *([] if checkpoint is None else [checkpoint.name]))
    play(page, lambda line: click.echo(line))
