"""`genelab video`."""

import os
from pathlib import Path

import click

from genelab.cli.options import ENGINE, EXECUTION, VARIANT, cfg_options, require_place, run_of
from genelab.config.commands import VideoCfg
from genelab.config.overrides import apply_overrides, from_environment
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.errors import InputError
from genelab.registry import get_task


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="[CKPT]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="Write it here: a film (.mp4, .gif) or a strip of pictures (.png).",
)
@cfg_options("cfg", VideoCfg, "policy", "seconds", "episode", "fps")
@VARIANT
@ENGINE
@EXECUTION
def command(
    task_id: str,
    checkpoint: Path | None,
    out: Path,
    cfg: VideoCfg,
    variant: str | None,
    engine: EngineName | None,
    execution: ExecutionCfg,
) -> None:
    """Film episodes of a task's evaluation, without a display.

    CKPT lies in its run directory, which says what the task was. Without one, `--policy idle` and `random` film the
    registered task; what it leaves open comes from its environment variable, as for a training.
    """
    require_place("--out", out, ".mp4", ".gif", ".png")
    if checkpoint is not None:
        if variant is not None:
            raise InputError(f"--variant {variant}: CKPT says what it was trained as")
        run_dir = run_of(task_id, checkpoint)
        task, trained = run_dir.task(), (run_dir, checkpoint)
    else:
        if cfg.policy == "trained":
            raise InputError("--policy trained: needs a CKPT; idle and random need none")
        task, trained = get_task(task_id, variant), None
        task, _ = apply_overrides(task, (), from_environment(task, (), os.environ))

    from genelab.jobs.film import write_film

    count, rate = write_film(task.on(engine), cfg, execution, out, trained)
    told = f"{count} pictures" if out.suffix == ".png" else f"{count} pictures, {float(rate):g} a second"
    click.echo(f"wrote {out}: {told}, from episode {cfg.episode} of the evaluation on")
