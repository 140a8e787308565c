"""`genelab replay-guard`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import field_option, progress_options
from genelab.config.run import ExecutionCfg
from genelab.progress import Verbosity
from genelab.runs.find import find_guard


@click.command
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@field_option("--device", ExecutionCfg, "device", use_default=False)
@progress_options
def command(folder: Path, device: str | None, verbosity: Verbosity) -> int:
    """Repeat the iteration that a guard stopped, up to its fault.

    DIR is `guard/<iteration>` in a run directory, or that directory if a guard stopped it once. Without --device it
    runs where the fault was found. Exit code 1 if the fault does not come again.
    """
    with progress.shown(verbosity):
        from genelab.jobs.replay_guard import replay

        told, found = replay(find_guard(folder), device)
    where = "" if told.step is None else f", step {told.step}"
    click.echo(f"recorded  iteration {told.iteration}{where}: {told.tensor} is {told.value}")
    if found is None:
        click.echo("replayed  nothing is wrong: it depends on something that the state does not hold")
        return 1
    click.echo(f"replayed  {found}")
    same = (found.tensor, found.step, found.mini_batch) == (told.tensor, told.step, told.mini_batch)
    click.echo("the same fault" if same else "ANOTHER fault than the recorded one")
    return 0 if same else 1
