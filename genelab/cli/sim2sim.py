"""`genelab sim2sim`."""

from pathlib import Path

import click

from genelab.cli.options import field_option, protocol_options, require_place
from genelab.cli.tasks import TASK
from genelab.config.commands import Sim2SimCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.registry import get_task
from genelab.runs.files import write_record
from genelab.runs.run_dir import RunDir


@click.command
@TASK
@click.argument("policy", metavar="POLICY", type=click.Path(path_type=Path))
@protocol_options
@field_option("--engine", Sim2SimCfg, "engine")
@field_option("--threads", ExecutionCfg, "threads")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the record here, as JSON.")
def command(
    task_id: str,
    policy: Path,
    engine: EngineName,
    threads: int,
    out: Path | None,
    changes: dict[str, int],
) -> None:
    """Judge an exported policy in another simulator.

    POLICY has its contract beside it, FILE.metadata.json. Neither the checkpoint nor the run is needed: the inputs are
    put together as the contract says. Episodes and commands are those of the evaluation and the probe of the task, or
    of the run directory that POLICY lies in.
    """
    require_place("--out", out)

    from genelab.jobs.sim2sim import judge
    from genelab.show.probe import case_lines

    task, around = get_task(task_id), RunDir(policy.parent)
    if around.exists():
        # As it was trained, with what the command line changed.
        task = around.task()
    protocol = task.protocol.model_copy(update=changes)
    record = judge(task, policy, ExecutionCfg(device="cpu", threads=threads), protocol, engine)
    count = len(record.episodes.index)
    click.echo(f"{task_id} seed {record.seed}, {count} episodes, eval seed {record.protocol.seed}, in {engine}")
    for name, metrics in (("return", record.metrics), ("idle", record.idle.metrics)):
        click.echo(
            f"{name:<7} {metrics.return_mean:.3f} ± {metrics.return_std:.3f}, length {metrics.length_mean:.1f}"
            + ("" if metrics.success_rate is None else f", success {metrics.success_rate:.0%}")
        )
    for line in case_lines(record.probe, task.probe.columns) if task.probe else ():
        click.echo(line)
    if out is not None:
        write_record(out, record)
        click.echo(f"wrote {out}")
