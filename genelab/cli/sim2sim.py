"""`genelab sim2sim`."""

from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import field_option, progress_options, protocol_options, task_and
from genelab.config.commands import Sim2SimCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.errors import InputError
from genelab.progress import Verbosity
from genelab.registry import get_task
from genelab.runs.files import require_place, write_record
from genelab.runs.find import find_export
from genelab.runs.run_dir import RunDir

POLICY = "[TASK] POLICY"
"""How the help writes which policy."""


@click.command
@click.argument("words", metavar=POLICY, nargs=-1, required=True)
@protocol_options
@field_option("--engine", Sim2SimCfg, "engine")
@field_option("--threads", ExecutionCfg, "threads")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the record here, as JSON.")
@progress_options
def command(
    words: tuple[str, ...],
    engine: EngineName,
    threads: int,
    out: Path | None,
    changes: dict[str, int],
    verbosity: Verbosity,
) -> None:
    """Evaluate an exported policy in another simulator.

    POLICY has its contract beside it, FILE.metadata.json. Neither the checkpoint nor the run is needed: the inputs are
    put together as the contract says. Episodes and commands are those of the evaluation and the probe of the task, or
    of the run directory that POLICY lies in. That directory, or an entry of the store, `TASK/ENTRY/seed_N`, stands for
    the policy in it.
    """
    task, name = task_and(words, POLICY)
    policy = find_export(name)

    from genelab.export.export import metadata_path
    from genelab.export.runner import ExportedPolicy

    require_place("--out", out, ".json", inputs=[policy, metadata_path(policy)])
    if (around := RunDir(policy.parent)).exists():
        # As it was trained, with what the command line changed.
        trained_on = around.task()
        if task is not None and task.id != trained_on.id:
            raise InputError(f"policy '{name}' was trained on '{trained_on.id}', not on '{task.id}'")
        task = trained_on
    elif task is None:
        task = get_task(ExportedPolicy(policy).contract.task)
    protocol = task.protocol.model_copy(update=changes)
    with progress.shown(verbosity):
        from genelab.jobs.sim2sim import judge

        record = judge(task, policy, ExecutionCfg(device="cpu", threads=threads), protocol, engine)
    from genelab.show.probe import case_lines

    count = len(record.episodes.index)
    click.echo(f"{task.id} seed {record.seed}, {count} episodes, eval seed {record.protocol.seed}, in {engine}")
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
