"""`genelab play`."""

import click

from genelab import progress
from genelab.cli.options import EXECUTION, as_registered, cfg_options, is_task, policy_of, progress_options
from genelab.config.commands import PlayCfg
from genelab.config.run import ExecutionCfg
from genelab.progress import Verbosity
from genelab.runs.find import is_published


@click.command
@click.argument("words", metavar="TASK | [TASK] CKPT", nargs=-1, required=True)
@cfg_options("cfg", PlayCfg, "engine", "episode", "host", "port")
@EXECUTION
@progress_options
def command(words: tuple[str, ...], cfg: PlayCfg, execution: ExecutionCfg, verbosity: Verbosity) -> None:
    """Watch and steer a policy live in the browser.

    CKPT is a checkpoint, the directory of a seed, or an entry of the store, `TASK/ENTRY/seed_N`; the other checkpoints
    of its run can be chosen in the page as well. TASK alone shows its newest entry, or without one the task as
    registered, with idle and random actions. Episodes are those of the evaluation. On a remote machine, forward the
    port: ssh -L 8080:localhost:8080 MACHINE.
    """
    *first, name = words
    if not first and is_task(name) and not is_published(name):
        task, found = as_registered(name), None
    else:
        found = policy_of(words)
        task = found.run_dir.task()

    with progress.shown(verbosity):
        from genelab.play.play import open_page, play

        shown = [] if found is None else [found.checkpoint.name]
        page = open_page(task, cfg, execution, None if found is None else found.run_dir, *shown)
    play(page, lambda line: click.echo(line))
