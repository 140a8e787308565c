"""Table and picture of a comparison."""

from collections.abc import Iterator, Sequence
from typing import Any

from genelab.config.snapshot import canonical_json
from genelab.records.compare import (
    ComparedMetric,
    ComparedSide,
    CompareRecord,
    EqualEpisodes,
    FieldDifference,
    SideValues,
)
from genelab.show.svg import svg
from genelab.show.table import table_lines
from genelab.show.text import NONE, number, single

OLD, NEW = "#1f77b4", "#d62728"
LONGEST = 100
"""Longest value of a difference, characters."""


def lines(record: CompareRecord) -> list[str]:
    """The whole report."""
    text = [_side("A", record.a), _side("B", record.b)]
    # Of other policies, none are.
    if record.episodes is not None and (record.episodes.equal or len(record.b.seeds) == 1):
        text.append(_episodes(record.episodes))
    if record.metrics:
        text += ["", *metric_lines(record.metrics)]
    for name, found in (("config", record.config), ("stamps", record.stamps)):
        text += ["", f"{name}, A -> B:", *(f"  {line}" for line in difference_lines(found))] if found else []
    text += ["", *(f"allowed by --across: {told}" for told in record.across)]
    text += [f"note: {note}" for note in record.notes]
    text += [f"not reliable: {told}" for told in record.unreliable]
    return [*text, *verdict_lines(record)]


def metric_lines(metrics: Sequence[ComparedMetric]) -> list[str]:
    """A row for each metric, as plain text."""
    cells = metric_cells(metrics)
    return table_lines(cells, left=("metric", "verdict"))


def metric_cells(metrics: Sequence[ComparedMetric]) -> dict[str, list[str]]:
    """The table of the metrics: cells by the name of their column."""
    return {
        "metric": [m.name + (f" [{m.unit}]" if m.unit else "") for m in metrics],
        "A": [_mean(m.a) for m in metrics],
        "B": [_mean(m.b) for m in metrics],
        "B - A": [f"{m.difference:+.3f}" for m in metrics],
        "95 % interval": [NONE if m.ci95 is None else f"{m.ci95[0]:+.3f} to {m.ci95[1]:+.3f}" for m in metrics],
        "margin": [number(m.margin) for m in metrics],
        "idle": [single([*m.a.idle, *m.b.idle]) for m in metrics],
        "verdict": [NONE if m.verdict is None else m.verdict for m in metrics],
    }


def difference_lines(found: Sequence[FieldDifference]) -> list[str]:
    """A line for each difference."""
    return [f"{d.path}: {_value(d.a)} -> {_value(d.b)}" for d in found]


def verdict_lines(record: CompareRecord) -> Iterator[str]:
    """The verdict, and what it rests on."""
    word = record.verdict.replace("_", " ")
    row = next((metric for metric in record.metrics if metric.name == record.metric), None)
    if record.verdict == "not_comparable":
        yield from (f"{word}: {reason}" for reason in record.reasons)
    elif record.verdict == "identical":
        yield f"{word}: equal seeds have equal weights and equal episodes"
    elif row is not None and row.ci95 is not None:
        told = f"{row.name} differs by {row.difference:+.3f}, 95 % interval {row.ci95[0]:+.3f} to {row.ci95[1]:+.3f}"
        yield f"{word}: {told}, margin {row.margin:.3f}"
        if record.verdict == "undecided":
            yield _undecided(row)


def _undecided(row: ComparedMetric) -> str:
    needed = "more than 1000" if row.seeds_needed is None else str(row.seeds_needed)
    return (
        f"  {len(row.a.values)} and {len(row.b.values)} seeds of this spread show a difference from "
        f"{number(row.smallest_shown)} on; with means and spreads as they are, {needed} seeds a side would decide"
    )


def _side(name: str, side: ComparedSide) -> str:
    if side.task is None:
        return f"{name}  {side.given}: {side.kind}"
    variant = f" variant {side.variant}" if side.variant else ""
    seeds = f"seed{'' if len(side.seeds) == 1 else 's'} {','.join(map(str, side.seeds))}"
    return f"{name}  {side.given}: {side.kind} of {side.task} version {side.task_version}{variant}, {seeds}"


def _episodes(found: EqualEpisodes) -> str:
    told = f"{found.equal} of {found.compared} episodes equal"
    return told if found.equal == found.compared else f"{told}, returns differ by up to {found.largest_difference:.3g}"


def _mean(side: SideValues) -> str:
    return number(side.mean) + ("" if side.std is None else f" ± {number(side.std)}")


def _value(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = " / ".join(value)
    else:
        text = canonical_json(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def draw(record: CompareRecord) -> str:
    """SVG text: for each metric every seed as a dot, mean and interval, doing nothing; beside it the difference.

    The metric judged comes first.
    """
    metrics = sorted(record.metrics, key=lambda metric: metric.name != record.metric)

    def fill(figure: Any) -> None:
        figure.suptitle(f"A {record.a.given}, B {record.b.given}: {record.verdict.replace('_', ' ')}", fontsize=9)
        if not metrics:
            figure.text(0.5, 0.4, "no numbers to compare", ha="center", fontsize=8)
            return
        for (left, right), metric in zip(figure.subplots(len(metrics), 2, squeeze=False), metrics, strict=True):
            _draw_values(left, metric)
            _draw_difference(right, metric)

    return svg(9.0, 1.5 * max(1, len(metrics)) + 0.6, fill)


def _draw_values(axes: Any, metric: ComparedMetric) -> None:
    for place, side, colour in ((0, metric.a, OLD), (1, metric.b, NEW)):
        if side.ci95 is not None:
            axes.plot(side.ci95, [place, place], color=colour, linewidth=1.2)
        axes.plot([side.mean], [place], color=colour, marker="|", markersize=16)
        for k, value in enumerate(side.values):
            # Apart, so that equal seeds do not hide each other.
            apart = 0.4 * ((k + 0.5) / len(side.values) - 0.5)
            axes.plot([value], [place + apart], "o", color=colour, markersize=4, alpha=0.6)
    axes.axvline(metric.a.mean, color=OLD, linewidth=0.7, linestyle=":")
    for value in sorted({*metric.a.idle, *metric.b.idle}):
        axes.axvline(value, color="black", linewidth=0.9, linestyle="--")
    axes.set_yticks([0, 1], ["A", "B"], fontsize=8)
    axes.set_ylim(1.5, -0.5)
    axes.tick_params(labelsize=7)
    unit = f" [{metric.unit}]" if metric.unit else ""
    axes.set_title(f"{metric.name}{unit}: seeds, mean, 95 % interval; dashes: doing nothing", fontsize=7)


def _draw_difference(axes: Any, metric: ComparedMetric) -> None:
    axes.axvspan(-metric.margin, metric.margin, color="grey", alpha=0.2)
    axes.axvline(0.0, color="grey", linewidth=0.7)
    if metric.ci95 is not None:
        axes.plot(metric.ci95, [0, 0], color="black", linewidth=1.2)
    axes.plot([metric.difference], [0], "o", color="black", markersize=4)
    axes.set_yticks([])
    axes.set_ylim(-1.0, 1.0)
    axes.tick_params(labelsize=7)
    axes.set_title(f"B - A, 95 % interval; grey: margin{f' ({metric.verdict})' if metric.verdict else ''}", fontsize=7)
