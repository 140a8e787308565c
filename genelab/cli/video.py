"""`genelab video`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import ENGINE, EXECUTION, cfg_options, policy_arguments, progress_options
from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.progress import Verbosity
from genelab.runs.files import require_place
from genelab.runs.find import Found


@click.command
@policy_arguments
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", required=True, help="Write it here, as MP4.")
@cfg_options("cfg", VideoCfg, "seconds", "episode", "fps")
@ENGINE
@EXECUTION
@progress_options
def command(
    found: Found,
    out: Path,
    cfg: VideoCfg,
    engine: EngineName | None,
    execution: ExecutionCfg,
    verbosity: Verbosity,
) -> None:
    """Film a policy in episodes of its evaluation, without a display.

    CKPT is a checkpoint, the directory of a seed, or an entry of the store, `TASK/ENTRY/seed_N`. Velocity tasks have a
    dial drawn in, seen from above, forward up: what was asked for (green) and what the robot does (blue), the turn as
    an arc.
    """
    require_place("--out", out, ".mp4")

    with progress.shown(verbosity):
        from genelab.jobs.film import write_film

        count, rate = write_film(found.run_dir, found.checkpoint, cfg, execution, out, engine)
    click.echo(
        f"wrote {out}: {count} pictures, {float(rate):g} a second, from episode {cfg.episode} of the evaluation on"
    )
