"""What the page shows of an entry: every string and row that the template lays out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genelab.publish.facts import facts_of, link
from genelab.publish.published import Difference, PublishedRow
from genelab.records.build_entry import changes
from genelab.records.check import CheckedEntry
from genelab.records.entry import EntryRecord
from genelab.records.statistics import Sample, sample
from genelab.show.probe import probe_rows
from genelab.show.text import NONE, cell, number, seconds

Row = tuple[str, ...]

ABOVE, NOT_ABOVE = "clearly above", "**NOT clearly above**"
"""Verdict against idle, as printed."""
NOT_ABOVE_IDLE = f" {NOT_ABOVE} idle's"
"""Beside a success rate that luck may explain."""
HEAD = (
    *("seed", "return mean", "return std", "length", "success"),
    *("convergence iteration", "train wall", "eval wall", "against idle"),
)
"""Columns of an entry's table, of a task without a goal."""


@dataclass(frozen=True)
class EntryView:
    """One entry of a task."""

    record: EntryRecord
    """entry.json."""
    head: Row
    """Names of the columns of `rows`."""
    rows: list[Row]
    """Seed, return mean and std, length, success (and at the end, of a task with a goal), convergence iteration, train
    and eval wall, verdict against idle."""
    curve_rows: list[Row]
    """Seed, final average, strength, stability."""
    facts: list[tuple[str, str]]
    """Named lines below the table."""
    probe_columns: list[str]
    """Names of the components of the commands of a probe."""
    probe_rows: list[Row]
    """Case, command, median and 10th percentile of the share achieved, falls, following; none without a probe."""


@dataclass(frozen=True)
class PublishedTable:
    """Published rows beside ours."""

    task: str
    """Task they belong to."""
    same_task: bool
    """Whether it is the task of the section."""
    difference: Difference | None
    """Where our task of that name is another one; None for nowhere, or for another task."""
    rows: list[Row]
    """Label, seed, return mean and std, length, success, convergence, train and eval wall, verdict against our idle."""
    machines: list[tuple[str, str]]
    """Label and hardware."""


@dataclass(frozen=True)
class TaskView:
    """One section of the page."""

    task: str
    """Task identifier."""
    variant: str | None
    """Variant of its learner, budget and size; None for the task itself."""
    picture: str
    """Path of the learning curves, relative to the page."""
    current: EntryView
    """Newest entry of the registered settings; of others only if there is none of those."""
    others: list[EntryView]
    """Entries whose settings the command line changed, the newest first."""
    previous: list[EntryView]
    """Older entries of the registered settings, the newest first."""
    published: PublishedTable | None
    """Published rows; None for none."""


def task_view(
    entries: Sequence[CheckedEntry],
    published: Sequence[PublishedRow],
    differences: Mapping[str, Difference],
    page: Path,
    picture: Path,
) -> TaskView:
    """View of a task or of a variant. entries: its entries, the newest first, at least one."""
    shown = current(entries)
    rest = [entry for entry in entries if entry is not shown]
    return TaskView(
        task=shown.record.task,
        variant=shown.record.variant,
        picture=link(picture, page),
        current=_entry_view(shown, page),
        others=[_entry_view(entry, page) for entry in rest if changes(entry.seeds[0])],
        previous=[_entry_view(entry, page) for entry in rest if not changes(entry.seeds[0])],
        published=_published_table(shown, published, differences),
    )


def current(entries: Sequence[CheckedEntry]) -> CheckedEntry:
    """The entry that stands for a task. entries: the newest first, at least one."""
    return next((entry for entry in entries if not changes(entry.seeds[0])), entries[0])


def _entry_view(entry: CheckedEntry, page: Path) -> EntryView:
    rows: list[Row] = []
    curve_rows: list[Row] = []
    has_goal = any(run.metrics.success_at_end_rate is not None for run in entry.record.runs)
    at_end = ("at end",) if has_goal else ()
    head = (*HEAD[:5], *at_end, *HEAD[5:])
    for run in entry.record.runs:
        metrics, curve = run.metrics, run.curve
        convergence = NONE if curve.convergence_iteration is None else str(curve.convergence_iteration)
        rows.append(
            (
                str(run.seed),
                number(metrics.return_mean),
                number(metrics.return_std),
                number(metrics.length_mean, 1),
                number(metrics.success_rate) + (NOT_ABOVE_IDLE if run.success_above_idle is False else ""),
                *((number(metrics.success_at_end_rate),) if has_goal else ()),
                convergence,
                seconds(run.train_wall_s),
                seconds(run.eval_wall_s),
                (ABOVE if run.above_idle else NOT_ABOVE) + _no_better(run.no_better_than_idle),
            )
        )
        curve_rows.append((str(run.seed), number(curve.final_average), number(curve.strength), number(curve.stability)))
    probe = next((seed.probe.probe for seed in entry.seeds if seed.probe is not None), None)
    columns = [*probe.columns] if probe else []
    return EntryView(entry.record, head, rows, curve_rows, facts_of(entry, page), columns, probe_rows(entry.seeds))


def _no_better(errors: Sequence[str] | None) -> str:
    """Flag of errors that are not clearly below those of doing nothing."""
    return f", **no better in** {' and '.join(error.replace('_', ' ') for error in errors)}" if errors else ""


def _published_table(
    entry: CheckedEntry, published: Sequence[PublishedRow], differences: Mapping[str, Difference]
) -> PublishedTable | None:
    record = entry.record
    rows = [row for row in published if row.task == record.published_as]
    if not rows:
        return None
    same = record.published_as == record.task
    idle = sample(entry.seeds[0].eval.baselines.idle.episodes.return_) if same else None
    machines = dict.fromkeys((cell(row.label), cell(row.hardware or "not stated")) for row in rows)
    difference = differences.get(record.task) if same else None
    return PublishedTable(rows[0].task, same, difference, [_published_row(row, idle) for row in rows], list(machines))


def _published_row(row: PublishedRow, idle: Sample | None) -> Row:
    verdict = row.above_idle(idle) if idle else None
    return (
        cell(row.label),
        str(row.seed),
        number(row.return_mean),
        number(row.return_std),
        number(row.length_mean, 1),
        number(row.success_rate),
        NONE if row.convergence is None else f"{row.convergence} {row.convergence_unit or 'unit'}s",
        cell(row.train_wall or NONE),
        seconds(row.eval_wall_s),
        NONE if verdict is None else (ABOVE if verdict else NOT_ABOVE),
    )
