"""`genelab rollout-export`."""

from pathlib import Path

import click

from genelab.cli.checkpoint import run_of
from genelab.cli.options import changed_protocol, field_option, protocol_options
from genelab.config.run import ExecutionCfg
from genelab.errors import RunError
from genelab.records.statistics import mean, population_std


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@click.argument("policy", metavar="POLICY", type=click.Path(path_type=Path))
@protocol_options
@field_option("--device", ExecutionCfg, "device")
@field_option("--threads", ExecutionCfg, "threads")
def command(
    task_id: str,
    checkpoint: Path,
    policy: Path,
    num_envs: int | None,
    episodes: int | None,
    seed: int | None,
    device: str,
    threads: int,
) -> None:
    """Run an exported policy on the episodes of an evaluation, beside the checkpoint that it came from.

    POLICY was exported from CKPT and has its contract beside it. It is given one frame of values in each control step
    and puts its input together as the contract says. Exit code 1 if inputs, actions or the mean return are not the
    checkpoint's.
    """
    run_dir = run_of(task_id, checkpoint)
    protocol = changed_protocol(run_dir.task().protocol, num_envs=num_envs, episodes=episodes, seed=seed)

    from genelab.jobs.rollout_export import roll_out

    found = roll_out(run_dir, checkpoint, policy, protocol, ExecutionCfg(device=device, threads=threads))
    click.echo(f"{task_id}, {protocol.episodes} episodes, eval seed {protocol.seed}")
    for name, table in (("native", found.native), ("exported", found.exported)):
        click.echo(
            f"{name:<9} {mean(table.returns):.3f} ± {population_std(table.returns):.3f}, "
            f"length {mean(table.lengths):.1f}"
        )
    click.echo(f"inputs    largest difference {found.input_difference:g}")
    click.echo(f"actions   largest difference {found.action_difference:.3g}, allowed {found.action_tolerance:.3g}")
    click.echo(
        f"returns   mean differs by {found.return_difference:.3%}, an episode by {found.largest_return_difference:.3g} "
        "at most"
    )
    if found.problems:
        raise RunError(f"'{policy}' does not act as '{checkpoint}': {'; '.join(found.problems)}")
