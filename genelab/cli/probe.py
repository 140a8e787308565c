"""`genelab probe`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import ENGINE, EXECUTION, progress_options, require_place, run_of
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.progress import Verbosity
from genelab.runs.files import write_atomic, write_record
from genelab.show.probe import draw, lines


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@ENGINE
@EXECUTION
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the record here, as JSON.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw it here, as SVG.")
@progress_options
def command(
    task_id: str,
    checkpoint: Path,
    engine: EngineName | None,
    execution: ExecutionCfg,
    out: Path | None,
    plot: Path | None,
    verbosity: Verbosity,
) -> None:
    """Drive a policy with fixed commands and tell how much of each it achieves.

    CKPT lies in its run directory, whose snapshot holds the commands. Each case runs in environments of its own: mean
    action, no disturbances, no reset after a fall.
    """
    run_dir = run_of(task_id, checkpoint)
    require_place("--out", out)
    require_place("--plot", plot)

    with progress.shown(verbosity):
        from genelab.jobs.probe import probe

        record = probe(run_dir, checkpoint, execution, engine)
    click.echo(f"{task_id} seed {record.seed}, {record.num_envs} environments a case")
    for line in lines(record):
        click.echo(line)
    if out is not None:
        write_record(out, record)
        click.echo(f"wrote {out}")
    if plot is not None:
        write_atomic(plot, draw(record))
        click.echo(f"wrote {plot}")
