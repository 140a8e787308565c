"""Learning-curve pictures: one SVG per task, every seed's training beside what the evaluation found.

Stages stand end to end. Those whose returns mean the same share an axis. What the evaluation found has an axis of its
own, which is that of the last stage where the two are in one unit: only there may a curve be held against idle.

The bytes of a matplotlib SVG depend on its version and on float formatting, so another machine may draw the same curves
with other bytes. A picture therefore carries two digests in a comment: of the data that it shows, which anyone can
recompute from the records, and of its own drawing, which shows an edit or a torn file. An intact picture of the right
data is not drawn again.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from genelab.config.snapshot import sha256_json
from genelab.records.check import CheckedEntry
from genelab.show.segments import Segment, panels, segments_of
from genelab.show.svg import svg
from genelab.show.text import number, single

NARROWEST = 0.18
"""Least share of the width that an axis gets."""
IDLE: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1.0}
CEILING: dict[str, Any] = {"color": "gray", "linestyle": "-.", "linewidth": 1.0}
STYLE_VERSION = 3
"""Rises with every change of the drawing, so that old pictures are drawn again."""
_MARK = re.compile(r"<!-- genelab curves: data ([0-9a-f]{64}) drawing ([0-9a-f]{64}) -->\n")


def curve_data(entry: CheckedEntry) -> dict[str, Any]:
    """What the picture of an entry shows, as plain JSON."""
    record = entry.record
    return {
        "style": STYLE_VERSION,
        "task": record.task,
        "entry": record.entry_id,
        "segments": [list(segment) for segment in _segments(entry)],
        "ceiling": record.return_ceiling,
        "idle": [run.idle_return_mean for run in record.runs],
        "evaluated": [run.metrics.return_mean for run in record.runs],
        "seeds": [[s.run.seed, list(s.curve.iterations), list(s.curve.returns)] for s in entry.seeds],
    }


def _segments(entry: CheckedEntry) -> list[Segment]:
    first = entry.seeds[0]
    return segments_of(first.task, first.eval.protocol.max_steps)


def draw(entry: CheckedEntry) -> str:
    """SVG text of an entry's picture. Equal entries give equal text on one machine."""
    data = curve_data(entry)
    head, _, body = svg(9.0, 4.2, lambda figure: _fill(figure, data)).partition("\n")
    mark = f"<!-- genelab curves: data {sha256_json(data)} drawing {_digest(head, body)} -->"
    return f"{head}\n{mark}\n{body}"


def problem(path: Path, entry: CheckedEntry) -> str | None:
    """What is wrong with a picture on disk; None if it is intact and shows the entry's data."""
    if not path.is_file():
        return "missing"
    text = _read(path)
    mark = _MARK.search(text)
    if mark is None:
        return "was not drawn by genelab"
    head, body = text[: mark.start()].removesuffix("\n"), text[mark.end() :]
    if mark[2] != _digest(head, body):
        return "was edited after it was drawn"
    return None if mark[1] == sha256_json(curve_data(entry)) else "shows other data than the records"


def is_ours(path: Path) -> bool:
    """Whether a file is a picture that genelab drew."""
    return _MARK.search(_read(path)) is not None


def _read(path: Path) -> str:
    # As it stands: a changed line ending is a change, and what is not UTF-8 must not end in a traceback.
    return path.read_bytes().decode(errors="replace")


def _digest(head: str, body: str) -> str:
    return hashlib.sha256(f"{head}\n{body}".encode()).hexdigest()


def _fill(figure: Any, data: dict[str, Any]) -> None:
    groups = panels([Segment(*values) for values in data["segments"]])
    spans = [group[-1].steps(group[-1].end - 1) - group[0].first_step for group in groups]
    widths = [max(span / sum(spans), NARROWEST) for span in spans]
    *axes, judged = figure.subplots(1, len(groups) + 1, width_ratios=[*widths, NARROWEST * sum(widths)])
    for place, group, width in zip(axes, groups, widths, strict=True):
        _draw_training(place, group, data["seeds"], ticks=round(5 * width / sum(widths)))
        titles = ", ".join(segment.name for segment in group)
        told = f"{titles}: {group[0].differs}" if group[0].differs else titles
        place.set_title(told if len(groups) > 1 or group[0].differs else "training", fontsize=8)
    axes[0].set_ylabel("mean return of the last 100 training episodes", fontsize=8)
    comparable = not groups[-1][0].differs
    for place in (axes[-1], judged) if comparable else (judged,):
        draw_levels(place, data["idle"], data["ceiling"])
    for k, value in enumerate(data["evaluated"]):
        judged.plot([k], [value], "D", color=f"C{k % 10}", markersize=5)
    judged.set_xlim(-0.7, len(data["seeds"]) - 0.3)
    judged.set_xticks(range(len(data["seeds"])), [str(seed) for seed, *_ in data["seeds"]])
    judged.set_xlabel("seed", fontsize=8)
    judged.set_title("evaluation", fontsize=8)
    judged.tick_params(labelsize=7)
    judged.grid(visible=True, alpha=0.3)
    if comparable:
        judged.sharey(axes[-1])
        judged.tick_params(labelleft=False)
    else:
        judged.set_ylabel("mean return of an episode", fontsize=8)
    figure.suptitle(f"{data['task']} ({data['entry']})", fontsize=10)
    figure.legend(handles=_handles(data), fontsize=7, loc="outside lower center", ncols=4)


def _draw_training(axes: Any, group: Sequence[Segment], seeds: Sequence[Sequence[Any]], *, ticks: int) -> None:
    """The curves of stages that share a unit, over environment steps, with the iterations above."""
    for k, (_, iterations, returns) in enumerate(seeds):
        for segment in group:
            rows = [
                (i, value) for i, value in zip(iterations, returns, strict=True) if segment.begin <= i < segment.end
            ]
            draw_rows(axes, [(i, segment.steps(i), value) for i, value in rows], segment, color=f"C{k % 10}")
    for segment in group[1:]:
        axes.axvline(segment.first_step, color="gray", linestyle=":", linewidth=1.0)
    if len(group) > 1:
        for segment in group:
            where = {"rotation": 90, "transform": axes.get_xaxis_transform(), "clip_on": True}
            axes.text(segment.first_step, 0.02, f" {segment.name}", fontsize=7, color="gray", **where)
    steps = [group[0].first_step, *(segment.steps(segment.end - 1) for segment in group)]
    done = [group[0].begin, *(segment.end for segment in group)]
    axes.set_xlim(steps[0], steps[-1])
    label_steps(axes)
    above = axes.secondary_xaxis("top", functions=(_between(steps, done), _between(done, steps)))
    above.set_xlabel("iterations", fontsize=7)
    for each in (axes, above):
        each.tick_params(labelsize=7)
        each.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))
    axes.grid(visible=True, alpha=0.3)


def draw_rows(axes: Any, rows: Sequence[tuple[int, float, float]], segment: Segment, **style: Any) -> None:
    """A curve within a segment. What only episodes tell that ended early is dotted.

    rows: iteration, place on the x axis, value.
    """
    early = [(x, y) for i, x, y in rows if i <= segment.whole_from]
    whole = [(x, y) for i, x, y in rows if i >= segment.whole_from]
    style = {"linewidth": 1.4} | style
    if early:
        axes.plot(*zip(*early, strict=True), **style | {"linestyle": ":", "linewidth": 0.8 * style["linewidth"]})
    if whole:
        axes.plot(*zip(*whole, strict=True), **style)


def draw_levels(axes: Any, idle: Sequence[float], ceiling: float | None) -> None:
    """What an idle policy earns, and the largest possible return."""
    for value in sorted(set(idle)):
        axes.axhline(value, **IDLE)
    if ceiling is not None:
        axes.axhline(ceiling, **CEILING)


def label_steps(axes: Any) -> None:
    """Name the x axis, with 2M for two million."""
    axes.set_xlabel("environment steps", fontsize=8)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _between(here: Sequence[int], there: Sequence[int]) -> Any:
    """From one axis to another, straight on beyond the last point."""
    (x0, y0), (x1, y1) = list(zip(here, there, strict=True))[-2:]

    def convert(values: Any) -> Any:
        return np.interp(values, [*here, 2 * x1 - x0], [*there, 2 * y1 - y0])

    return convert


def _handles(data: dict[str, Any]) -> list[Any]:
    found = [
        Line2D([], [], color=f"C{k % 10}", label=f"seed {seed}" + ("" if rows else ", of which no episode ended"))
        for k, (seed, rows, _) in enumerate(data["seeds"])
    ]
    found.append(Line2D([], [], color="gray", linestyle=":", label="only episodes that ended early so far"))
    found.append(Line2D([], [], color="gray", linestyle="", marker="D", markersize=4, label="evaluated"))
    found.append(Line2D([], [], label=f"idle: {single(data['idle'])}", **IDLE))
    if data["ceiling"] is not None:
        found.append(Line2D([], [], label=f"ceiling: {number(data['ceiling'])}", **CEILING))
    return found
