"""What the page shows of an entry: every string and row that the template lays out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genelab.publish.facts import link, provenance_of, results_of
from genelab.publish.overview import section
from genelab.publish.published import Difference, PublishedRow
from genelab.records import names
from genelab.records.build_entry import changes
from genelab.records.check import CheckedEntry
from genelab.records.entry import SecondOpinion
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
    *("convergence iteration", "train wall", "eval wall", "against idle", "in MuJoCo"),
)
"""Columns of an entry's table, of a task without a goal."""


def task_view(
    entries: Sequence[CheckedEntry],
    published: Sequence[PublishedRow],
    differences: Mapping[str, Difference],
    page: Path,
    picture: Path,
) -> dict[str, Any]:
    """What the template shows of a task or of a variant. Tables are rows of text.

    `current` is the entry that stands for it, `others` are those whose settings the command line changed, and
    `previous` the older ones of the registered settings.

    Args:
        entries: its entries, the newest first, at least one.
        published: every published row.
        differences: where our task of a published name is another one, by task.
        page: the page.
        picture: its learning curves.
    """
    shown = current(entries)
    rest = [entry for entry in entries if entry is not shown]
    return {
        "heading": section(shown),
        "variant": shown.record.variant,
        "picture": link(picture, page),
        "film": _film(shown, page),
        "current": entry_view(shown, page),
        "others": [entry_view(entry, page) for entry in rest if changes(entry.seeds[0])],
        "previous": [entry_view(entry, page) for entry in rest if not changes(entry.seeds[0])],
        "published": _published_table(shown, published, differences),
    }


def current(entries: Sequence[CheckedEntry]) -> CheckedEntry:
    """The entry that stands for a task. entries: the newest first, at least one."""
    return next((entry for entry in entries if not changes(entry.seeds[0])), entries[0])


def entry_view(entry: CheckedEntry, page: Path) -> dict[str, Any]:
    """What a page shows of an entry: its tables as rows of text, and named lines."""
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
                (ABOVE if run.above_idle else NOT_ABOVE)
                + _no_better(run.no_better_than_idle)
                + _no_better(run.no_better_than_frozen, " than standing still"),
                _second_opinion(run.sim2sim),
            )
        )
        curve_rows.append((str(run.seed), number(curve.final_average), number(curve.strength), number(curve.stability)))
    probe = next((seed.probe.probe for seed in entry.seeds if seed.probe is not None), None)
    return {
        "record": entry.record,
        "head": head,
        "rows": rows,
        "curve_rows": curve_rows,
        "results": results_of(entry),
        "provenance": provenance_of(entry, page),
        "probe_columns": [*probe.columns] if probe else [],
        "probe_rows": probe_rows(entry.seeds),
    }


def _film(entry: CheckedEntry, page: Path) -> dict[str, Any] | None:
    """The strip of pictures of the first seed that has one."""
    films = [(seed.run.seed, seed.path / names.FILM) for seed in entry.seeds]
    seed, path = next(((seed, path) for seed, path in films if path.is_file()), (0, None))
    return None if path is None else {"seed": seed, "path": link(path, page)}


def _second_opinion(found: SecondOpinion | None) -> str:
    """Return in the other simulator, success where there is a goal, and a flag for what the policy loses there."""
    if found is None:
        return NONE
    success = "" if found.success_rate is None else f", success {number(found.success_rate)}"
    kept = "" if found.kept_return is None else f" ({found.kept_return:.0%})"
    lost = f", **keeps {', '.join(found.lost)}**" if found.lost else ""
    return f"{number(found.return_mean)}{kept}{success}{lost}"


def _no_better(errors: Sequence[str] | None, than: str = "") -> str:
    """Flag of errors that are not clearly below those of a baseline."""
    named = " and ".join(error.replace("_", " ") for error in errors or ())
    return f", **no better{than} in** {named}" if named else ""


def _published_table(
    entry: CheckedEntry, published: Sequence[PublishedRow], differences: Mapping[str, Difference]
) -> dict[str, Any] | None:
    record = entry.record
    rows = [row for row in published if row.task == record.published_as]
    if not rows:
        return None
    same = record.published_as == record.task
    baselines = entry.seeds[0].eval.baselines.by_name if same else {}
    held = {name: sample(each.episodes.return_) for name, each in baselines.items() if name != "random"}
    machines = dict.fromkeys((cell(row.label), cell(row.hardware or "not stated")) for row in rows)
    return {
        "task": rows[0].task,
        "same_task": same,
        "difference": differences.get(record.task) if same else None,
        "rows": [_published_row(row, held) for row in rows],
        "machines": list(machines),
    }


def _published_row(row: PublishedRow, held: Mapping[str, Sample]) -> Row:
    """`held`: what idle, and the robot that stands as it started, earn here."""
    verdict = row.above(held["idle"]) if held else None
    standing = row.above(held["frozen"]) if "frozen" in held else None
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
        NONE
        if verdict is None
        else (ABOVE if verdict else NOT_ABOVE) + (f", {NOT_ABOVE} standing still" if standing is False else ""),
    )
