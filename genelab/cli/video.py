"""`genelab video`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import ENGINE, EXECUTION, cfg_options, progress_options, require_place, run_of
from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.progress import Verbosity


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", required=True, help="Write it here, as MP4.")
@cfg_options("cfg", VideoCfg, "seconds", "episode", "fps")
@ENGINE
@EXECUTION
@progress_options
def command(
    task_id: str,
    checkpoint: Path,
    out: Path,
    cfg: VideoCfg,
    engine: EngineName | None,
    execution: ExecutionCfg,
    verbosity: Verbosity,
) -> None:
    """Film a policy in episodes of its evaluation, without a display.

    CKPT lies in its run directory. Velocity tasks have a dial drawn in, seen from above, forward up: what was asked for
    (green) and what the robot does (blue), the turn as an arc.
    """
    run_dir = run_of(task_id, checkpoint)
    require_place("--out", out, ".mp4")

    with progress.shown(verbosity):
        from genelab.jobs.film import write_film

        count, rate = write_film(run_dir, checkpoint, cfg, execution, out, engine)
    click.echo(
        f"wrote {out}: {count} pictures, {float(rate):g} a second, from episode {cfg.episode} of the evaluation on"
    )
