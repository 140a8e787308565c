"""`genelab eval`."""

from pathlib import Path
from typing import Any

import click

from genelab.cli.checkpoint import run_of
from genelab.cli.options import field_option
from genelab.config.commands import ConfigSource, EvalCfg
from genelab.config.run import ExecutionCfg
from genelab.config.task import ProtocolCfg
from genelab.errors import InputError, RunError
from genelab.runs.files import require_writable, write_record
from genelab.worker.assessment import assess


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@field_option("--num-envs", ProtocolCfg, "num_envs", use_default=False)
@field_option("--episodes", ProtocolCfg, "episodes", use_default=False)
@field_option("--seed", ProtocolCfg, "seed", use_default=False)
@field_option("--device", ExecutionCfg, "device")
@field_option("--threads", ExecutionCfg, "threads")
@field_option("--config", EvalCfg, "config")
@click.option("--out", type=click.Path(path_type=Path), help="Write the record here.")
def command(
    task_id: str,
    checkpoint: Path,
    num_envs: int | None,
    episodes: int | None,
    seed: int | None,
    device: str,
    threads: int,
    config: ConfigSource,
    out: Path | None,
) -> None:
    """Evaluate a checkpoint on numbered episodes, beside an idle and a random policy.

    CKPT lies in its run directory, whose snapshot says what to evaluate. What is not given here is as in the protocol
    of that snapshot.
    """
    run_dir = run_of(task_id, checkpoint)
    if out is not None:
        if not out.parent.is_dir():
            raise InputError(f"--out {out}: '{out.parent}' is not a directory")
        require_writable(out.parent)
    given: dict[str, Any] = {"num_envs": num_envs, "episodes": episodes, "seed": seed}
    changes = {name: value for name, value in given.items() if value is not None}
    protocol = run_dir.task().protocol.model_copy(update=changes)
    record = assess(run_dir, checkpoint, protocol, ExecutionCfg(device=device, threads=threads), config)

    metrics, idle = record.metrics, record.baselines.idle.metrics
    click.echo(f"{task_id} seed {record.run.seed}, {protocol.episodes} episodes, eval seed {protocol.seed}")
    click.echo(f"return  {metrics.return_mean:.3f} ± {metrics.return_std:.3f}, length {metrics.length_mean:.1f}")
    click.echo(f"idle    {idle.return_mean:.3f} ± {idle.return_std:.3f}, length {idle.length_mean:.1f}")
    random = record.baselines.random.metrics
    click.echo(f"random  {random.return_mean:.3f} ± {random.return_std:.3f}, length {random.length_mean:.1f}")
    if record.round_trip is None:
        click.echo("reload  not checked: another protocol, configuration or checkpoint than that of the training's end")
    else:
        click.echo(f"reload  largest difference {record.round_trip.max_abs_difference:g} to the policy in memory")
    if not record.above_idle.passed:
        click.echo("FLAG: not clearly above doing nothing")
    for difference in record.differences_from_registry:
        click.echo(
            f"differs from the registry: {difference.path}: run {difference.run}, registry {difference.registry}"
        )
    if out is not None:
        write_record(out, record)
        click.echo(f"wrote {out}")
    if record.round_trip is not None and not record.round_trip.passed:
        allowed = record.round_trip.tolerance
        raise RunError(f"the reloaded policy does not earn what the one in memory did; allowed difference: {allowed:g}")
