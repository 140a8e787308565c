"""`genelab probe`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import ENGINE, EXECUTION, policy_arguments, progress_options
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.progress import Verbosity
from genelab.runs.files import require_place, write_atomic, write_record
from genelab.runs.find import Found
from genelab.show.probe import draw, lines


@click.command
@policy_arguments
@ENGINE
@EXECUTION
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the record here, as JSON.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw it here, as SVG.")
@progress_options
def command(
    found: Found,
    engine: EngineName | None,
    execution: ExecutionCfg,
    out: Path | None,
    plot: Path | None,
    verbosity: Verbosity,
) -> None:
    """Drive a policy with fixed commands and measure what it does.

    CKPT is a checkpoint, the directory of a seed, or an entry of the store, `TASK/ENTRY/seed_N`. The snapshot of its
    run holds the commands. Each case runs in environments of its own: mean action, no disturbances, no reset after a
    fall. The report says how much of each command the policy achieves.
    """
    require_place("--out", out, ".json")
    require_place("--plot", plot, ".svg")

    with progress.shown(verbosity):
        from genelab.jobs.probe import probe

        record = probe(found.run_dir, found.checkpoint, execution, engine)
    click.echo(f"{record.task} seed {record.seed}, {record.num_envs} environments a case")
    for line in lines(record):
        click.echo(line)
    if out is not None:
        write_record(out, record)
        click.echo(f"wrote {out}")
    if plot is not None:
        write_atomic(plot, draw(record))
        click.echo(f"wrote {plot}")
