"""`genelab eval`."""

from collections.abc import Sequence
from pathlib import Path

import click

from genelab import progress
from genelab.cli.options import ENGINE, EXECUTION, field_option, policy_arguments, progress_options, protocol_options
from genelab.config.commands import ConfigSource, EvalCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.config.terrain import TerrainCfg
from genelab.errors import RunError
from genelab.progress import Verbosity
from genelab.records.derived import LevelResult, by_level, reload_told, unproven
from genelab.records.eval import EvalRecord
from genelab.records.statistics import wilson
from genelab.registry import get_task
from genelab.runs.files import require_place, write_record
from genelab.runs.find import Found


@click.command
@policy_arguments
@protocol_options
@ENGINE
@EXECUTION
@field_option("--config", EvalCfg, "config")
@click.option("--out", type=click.Path(path_type=Path), help="Write the record here.")
@progress_options
def command(
    found: Found,
    engine: EngineName | None,
    execution: ExecutionCfg,
    changes: dict[str, int],
    config: ConfigSource,
    out: Path | None,
    verbosity: Verbosity,
) -> None:
    """Evaluate a policy beside an idle and a random one.

    CKPT is a checkpoint, the directory of a seed, or an entry of the store, `TASK/ENTRY/seed_N`. The snapshot of its
    run says what to evaluate. What is not given here is as in the protocol of that snapshot.
    """
    require_place("--out", out, ".json")
    run_dir = found.run_dir
    protocol = run_dir.task().protocol.model_copy(update=changes)

    with progress.shown(verbosity):
        from genelab.jobs.evaluate import assess

        record = assess(run_dir, found.checkpoint, protocol, execution, config, engine)

    within = f", in {engine}" if engine else ""
    click.echo(
        f"{record.run.task} seed {record.run.seed}, {protocol.episodes} episodes, eval seed {protocol.seed}{within}"
    )
    for line in result_lines(record):
        click.echo(line)
    if record.round_trip is None:
        click.echo(
            "reload  not checked: not the protocol, simulator, configuration and checkpoint of the training's end"
        )
    else:
        click.echo(f"reload  {reload_told(record.round_trip)}")
    evaluated = run_dir.task() if config == "run" else get_task(record.run.task, record.run.variant)
    for line in level_lines(record, evaluated.env.terrain):
        click.echo(line)
    for text in unproven(record):
        click.echo(f"FLAG: {text}")
    for difference in record.differences_from_registry:
        click.echo(
            f"differs from the registry: {difference.path}: run {difference.run}, registry {difference.registry}"
        )
    if out is not None:
        write_record(out, record)
        click.echo(f"wrote {out}")
    if record.round_trip is not None and record.round_trip.broken:
        allowed = record.round_trip.tolerance
        raise RunError(f"the reloaded policy does not earn what the one in memory did; allowed difference: {allowed:g}")


def result_lines(record: EvalRecord) -> list[str]:
    """Return and length of the policy and the baselines, then their success where the task has a goal."""
    results = {
        "return": (record.metrics, record.episodes),
        **{name: (each.metrics, each.episodes) for name, each in record.baselines.by_name.items()},
    }
    lines = [
        f"{name:<7} {metrics.return_mean:.3f} ± {metrics.return_std:.3f}, length {metrics.length_mean:.1f}"
        for name, (metrics, _) in results.items()
    ]
    if (drawn := record.drawn_starts) is not None:
        reached = _rate([end != "terminated" for end in drawn.episodes.end])
        measured = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in drawn.metrics.measures.items())
        lines.append(f"anywhere {drawn.metrics.return_mean:.3f}, {reached} reach the end; {measured}")
    for name, (_, episodes) in results.items():
        if episodes.success is not None:
            at_end = episodes.success_at_end
            told = f"{_rate(episodes.success)} ever" + (f", {_rate(at_end)} at the end" if at_end is not None else "")
            lines.append(f"success {told}" if name == "return" else f"  {name:<6} {told}")
    return lines


def level_lines(record: EvalRecord, terrain: TerrainCfg | None) -> list[str]:
    """Results by the level on which an episode began, idle's in brackets; nothing without a terrain."""
    if terrain is None:
        return []
    ours, idle = (by_level(each, terrain.rows) for each in (record.episodes, record.baselines.idle.episodes))
    return [
        f"level {one.level}  {one.episodes} episodes: return {one.return_mean:.3f} ({none.return_mean:.3f}), "
        f"fell {one.fall_rate:.0%} ({none.fall_rate:.0%}), distance {share(one)} ({share(none)})"
        for one, none in zip(ours, idle, strict=True)
    ]


def share(result: LevelResult) -> str:
    """Share of the commanded distance."""
    return "-" if result.share_of_the_way is None else f"{result.share_of_the_way:.0%}"


def _rate(column: Sequence[bool]) -> str:
    low, high = wilson(sum(column), len(column))
    return f"{sum(column)}/{len(column)} ({low:.1%} to {high:.1%})"
