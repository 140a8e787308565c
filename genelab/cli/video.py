"""`genelab video`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import ENGINE, EXECUTION, as_registered, cfg_options, is_task, policy_of, progress_options
from genelab.cli.tasks import VARIANT
from genelab.config.commands import VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.errors import InputError
from genelab.progress import Verbosity
from genelab.runs.files import require_place


@click.command
@click.argument("words", metavar="TASK | [TASK] CKPT", nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="Write it here: a film (.mp4, .gif) or a strip of frames (.png).",
)
@cfg_options("cfg", VideoCfg, "policy", "seconds", "episode", "fps")
@VARIANT
@ENGINE
@EXECUTION
@progress_options
def command(
    words: tuple[str, ...],
    out: Path,
    cfg: VideoCfg,
    variant: str | None,
    engine: EngineName | None,
    execution: ExecutionCfg,
    verbosity: Verbosity,
) -> None:
    """Film a policy, without a display.

    CKPT is a checkpoint, the directory of a seed, or an entry of the store, `TASK/ENTRY/seed_N`; TASK alone is its
    newest entry. `--policy idle` and `random` also film a TASK as registered; what it leaves open comes from its
    environment variable, as for a training.
    """
    require_place("--out", out, ".mp4", ".gif", ".png")
    *first, name = words
    if cfg.policy == "trained" or first or not is_task(name):
        if variant is not None:
            raise InputError(f"--variant {variant}: CKPT says what it was trained as")
        found = policy_of(words)
        task, trained = found.run_dir.task(), (found.run_dir, found.checkpoint)
    else:
        task, trained = as_registered(name, variant), None

    with progress.shown(verbosity):
        from genelab.jobs.film import write_film

        count, rate = write_film(task.on(engine), cfg, execution, out, trained)
    told = f"{count} frames" if out.suffix == ".png" else f"{count} frames, {float(rate):g} a second"
    click.echo(f"wrote {out}: {told}, from episode {cfg.episode} of the evaluation on")
