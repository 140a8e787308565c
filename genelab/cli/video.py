"""`genelab video`."""

from pathlib import Path

import click

from genelab.cli.checkpoint import run_of
from genelab.cli.options import ENGINE, field_option, require_place
from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", required=True, help="Write it here, as MP4.")
@field_option("--seconds", VideoCfg, "seconds")
@field_option("--episode", VideoCfg, "episode")
@field_option("--fps", VideoCfg, "fps")
@ENGINE
@field_option("--device", ExecutionCfg, "device")
@field_option("--threads", ExecutionCfg, "threads")
def command(
    task_id: str,
    checkpoint: Path,
    out: Path,
    seconds: float,
    episode: int,
    fps: int,
    engine: EngineName | None,
    device: str,
    threads: int,
) -> None:
    """Film a policy in episodes of its evaluation, without a display.

    CKPT lies in its run directory. Velocity tasks have a dial drawn in, seen from above, forward up: what was asked for
    (green) and what the robot does (blue), the turn as an arc.
    """
    cfg = VideoCfg(seconds=seconds, episode=episode, fps=fps)
    run_dir = run_of(task_id, checkpoint)
    require_place("--out", out, ".mp4")

    from genelab.jobs.film import write_film

    count, rate = write_film(run_dir, checkpoint, cfg, ExecutionCfg(device=device, threads=threads), out, engine)
    click.echo(f"wrote {out}: {count} pictures, {float(rate):g} a second, from episode {episode} of the evaluation on")
