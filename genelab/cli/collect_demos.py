"""`genelab collect-demos`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.inspect import DEMOS
from genelab.cli.options import EXECUTION, cfg_options, progress_options
from genelab.cli.tasks import CONFIG, SET, TASK
from genelab.config.commands import CollectCfg
from genelab.config.override_file import read_overrides
from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg
from genelab.config.snapshot import config_sha256
from genelab.errors import InputError
from genelab.progress import Verbosity
from genelab.records.demos import DemoHeader, read_demos
from genelab.records.files import sha256_file
from genelab.registry import get_task
from genelab.runs.files import require_place


@click.command
@TASK
@cfg_options("cfg", CollectCfg, "num_envs", "steps", "seed")
@EXECUTION
@CONFIG
@SET
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help=f"File to write, {DEMOS}.")
@progress_options
def command(
    task_id: str,
    cfg: CollectCfg,
    execution: ExecutionCfg,
    config: Path | None,
    assignments: tuple[str, ...],
    out: Path,
    verbosity: Verbosity,
) -> None:
    """Collect demonstrations by a task's scripted controller.

    Failures are kept: the file tells how many episodes succeeded. The same command again does nothing once the file is
    there.
    """
    of_file = {} if config is None else read_overrides(config)
    task, overrides = apply_overrides(get_task(task_id), assignments, of_file)
    for path in (override.path for override in overrides):
        if not path.startswith("env."):
            by = next((option for option, (found, _) in of_file.items() if found == path), "--set")
            raise InputError(f"{by} {path}: must be a path in env; the rest is no part of what is demonstrated")
    require_place("--out", out, DEMOS)
    if out.exists():
        _report(_require_same(out, task.id, config_sha256(task), cfg), out, "has been collected already")
        return

    from genelab.jobs.collect import collect, controller_of

    controller_of(task, cfg)
    with progress.shown(verbosity):
        from genelab.jobs.session import start_session

        session, _ = start_session(cfg.seed, execution, task)
        header = collect(task, cfg, session, out, progress.counting("control steps", cfg.steps))
    _report(header, out, "wrote")


def _require_same(out: Path, task_id: str, digest: str, cfg: CollectCfg) -> DemoHeader:
    header = read_demos(out).header
    made = header.collection
    found = (header.task, header.config_sha256, made and (made.num_envs, made.steps, made.seed))
    if found != (task_id, digest, (cfg.num_envs, cfg.steps, cfg.seed)):
        raise InputError(f"--out {out}: holds other demonstrations; delete it or choose another name")
    return header


def _report(header: DemoHeader, out: Path, what: str) -> None:
    made = header.collection
    assert made is not None
    click.echo(f"{what} {out}" if what == "wrote" else f"{out} {what}")
    click.echo(f"sha256   {sha256_file(out)}")
    click.echo(f"episodes {made.episodes}, {made.num_envs * made.steps} transitions, return {made.return_mean:.3f}")
    if made.success_rate is not None and made.success_at_end_rate is not None:
        click.echo(f"success  {made.success_rate:.1%} ever, {made.success_at_end_rate:.1%} at the end of the episode")
