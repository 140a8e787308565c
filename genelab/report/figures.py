"""The figures of a report as plain JSON, as plotly.js takes it: `data` and `layout`. Colours of text are the page's."""

from collections.abc import Sequence
from html import escape
from typing import Any

from genelab.config.commands import PlotCfg
from genelab.errors import InputError
from genelab.records.check import CheckedEntry
from genelab.records.probe import ProbeCase
from genelab.report.items import Item
from genelab.show.plot import RunCurves, SeedCurve, read_curves
from genelab.show.segments import OTHER_REWARDS, Segment

COLOURS = ("#3b82c4", "#d9822b", "#3d9a50", "#c2526b", "#8a6fc9", "#a07a4a", "#2b9aa8", "#c065ad")
"""Of seeds or sets, to be told apart on white and on black."""
GRAY = "#8a8f98"
MOST_POINTS = 800
"""Points of the curve of a seed; of a longer one every so many iterations are drawn."""
MOST_SHOWN = 4
"""Sets whose curves are shown at first; those of the others wait in the legend."""

Figure = dict[str, Any]


def curves(items: Sequence[Item]) -> tuple[Figure | None, list[str]]:
    """Learning curves of every seed and stage, over environment steps, and notes on them.

    In a colour for each seed, or for each set if there are several. None if no training has a row yet.
    """
    cfg = PlotCfg()
    runs: list[RunCurves] = []
    notes: list[str] = []
    for item in items:
        try:
            runs.append(read_curves([item.path], cfg)[0]._replace(label=item.label))
        except InputError as error:
            notes.append(f"{item.label}: no curves: {error}")
    if not runs:
        return None, notes
    alone = len(runs) == 1
    entries = {item.label: item.entry for item in items}
    data: list[dict[str, Any]] = []
    for k, run in enumerate(runs):
        stride = max(1, -(-max(len(seed.values) for seed in run.seeds) // MOST_POINTS))
        notes += [f"{run.label}: 1 in {stride} iterations is drawn"] * (stride > 1)
        traces: list[dict[str, Any]] = []
        # plotly takes some markup.
        whose = "" if alone else f"{escape(run.label)}, "
        for j, seed in enumerate(run.seeds):
            name, colour = (f"seed {seed.seed}", j) if alone else (escape(run.label), k)
            traces += _of_seed(run, seed, name, f"{whose}seed {seed.seed}", COLOURS[colour % len(COLOURS)], stride)
        traces += _levels(run, entries[run.label], whose)
        for trace in traces:
            trace["visible"] = True if k < MOST_SHOWN else "legendonly"
        data += traces
    for group in {trace["legendgroup"]: None for trace in data}:
        lines = [trace for trace in data if trace["legendgroup"] == group]
        # One line of the legend switches all of them.
        next((line for line in lines if line["line"].get("dash") == "solid"), lines[0])["showlegend"] = True
    shapes, annotations = _stages(runs[0])
    layout = {
        "xaxis": {"title": {"text": "environment steps"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "return, mean of 100 episodes"}},
        "shapes": shapes,
        "annotations": annotations,
    }
    return {"data": data, "layout": layout}, notes


def _of_seed(run: RunCurves, seed: SeedCurve, name: str, told: str, colour: str, stride: int) -> list[dict[str, Any]]:
    """Its curve, dotted where only episodes tell that ended early, and what the evaluation found.

    `name`: in the legend. `told`: of the seed, beside the pointer.
    """
    group: dict[str, Any] = {"name": name, "legendgroup": name, "line": {"color": colour, "width": 1.6}}
    found: list[dict[str, Any]] = []
    for segment in run.segments:
        rows = seed.rows(segment)
        rows = [*rows[:-1:stride], *rows[-1:]]
        stage = f", {segment.name}" if len(run.segments) > 1 else ""
        differs = f" ({segment.differs})" if segment.differs else ""
        hover = f"<b>%{{y:.4g}}</b>{differs}<br>iteration %{{customdata}}{stage}<extra>{told}</extra>"
        for dash, part in (
            ("dot", [row for row in rows if row[0] <= segment.whole_from]),
            ("solid", [row for row in rows if row[0] >= segment.whole_from]),
        ):
            if part:
                found.append(
                    group
                    | {
                        "x": [place for _, place, _ in part],
                        "y": [_short(value) for *_, value in part],
                        "customdata": [iteration + 1 for iteration, *_ in part],
                        "mode": "lines",
                        "line": group["line"] | {"dash": dash},
                        "hovertemplate": hover,
                        "showlegend": False,
                    }
                )
    if seed.evaluated is not None and not run.segments[-1].differs:
        found.append(
            group
            | {
                "x": [max(seed.places.values())],
                "y": [_short(seed.evaluated.metrics.return_mean)],
                "mode": "markers",
                "marker": {"color": colour, "symbol": "diamond", "size": 9},
                "hovertemplate": f"<b>%{{y:.4g}}</b> in the evaluation<extra>{told}</extra>",
                "showlegend": False,
            }
        )
    return found


def _levels(run: RunCurves, entry: CheckedEntry | None, whose: str) -> list[dict[str, Any]]:
    """What doing nothing earns, and the largest possible return, along the stages whose returns mean the same."""
    last = run.segments[-1]
    if entry is None or last.differs:
        return []
    record = entry.record
    same = [segment for segment in run.segments if segment.unit == last.unit]
    ends = [min(segment.first_step for segment in same), max(segment.steps(segment.end - 1) for segment in same)]
    levels = [("doing nothing", "dash", value) for value in sorted({r.idle_return_mean for r in record.runs})]
    levels += [("largest possible", "dashdot", record.return_ceiling)] if record.return_ceiling is not None else []
    return [
        {
            "x": ends,
            "y": [value, value],
            "name": name,
            "legendgroup": name,
            "mode": "lines",
            "line": {"color": GRAY, "width": 1.4, "dash": dash},
            "hovertemplate": f"<b>%{{y:.4g}}</b><extra>{whose}{name}</extra>",
            "showlegend": False,
        }
        for name, dash, value in levels
    ]


def _stages(run: RunCurves) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Where the stages of a training begin, named; shaded where they have other rewards than the task."""
    segments: list[Segment] = run.segments
    if len(segments) == 1:
        return [], []
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for segment in segments:
        begin, end = segment.first_step, segment.steps(segment.end - 1)
        where = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "x0": begin}
        shapes.append(where | {"type": "line", "x1": begin, "line": {"color": GRAY, "width": 1, "dash": "dot"}})
        if segment.differs == OTHER_REWARDS:
            shapes.append(where | {"type": "rect", "x1": end, "fillcolor": GRAY, "opacity": 0.12, "line": {"width": 0}})
        text = f"{segment.name}: {segment.differs}" if segment.differs else segment.name
        notes.append(
            {
                "x": begin,
                "y": 1,
                "yref": "paper",
                "text": text,
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "bottom",
            }
        )
    return shapes, notes


def episodes(entry: CheckedEntry) -> Figure:
    """The return of every evaluated episode by seed: of the policy, and of what it is held against."""
    baselines = entry.seeds[0].eval.baselines.by_name
    names = {"idle": "doing nothing", "random": "random actions", "frozen": "standing still"}
    sets = [("policy", COLOURS[0], [seed.eval.episodes for seed in entry.seeds])]
    for name, colour in zip(baselines, (GRAY, COLOURS[1], COLOURS[4]), strict=False):
        sets.append((names[name], colour, [seed.eval.baselines.by_name[name].episodes for seed in entry.seeds]))
    data = [
        {
            "type": "box",
            "name": name,
            "x": [f"seed {s.run.seed}" for s, each in zip(entry.seeds, found, strict=True) for _ in each.return_],
            "y": [_short(value) for each in found for value in each.return_],
            "customdata": [
                [k, length, end.replace("_", " ")]
                for each in found
                for k, length, end in zip(each.index, each.length, each.end, strict=True)
            ],
            "marker": {"color": colour, "size": 3, "opacity": 0.6},
            "line": {"width": 1.2},
            "boxpoints": "all",
            "jitter": 0.6,
            "pointpos": 0,
            "hovertemplate": "<b>%{y:.4g}</b><br>episode %{customdata[0]}, %{customdata[1]} steps, %{customdata[2]}"
            "<extra>%{fullData.name}</extra>",
        }
        for name, colour, found in sets
    ]
    return {"data": data, "layout": {"boxmode": "group", "yaxis": {"title": {"text": "return of an episode"}}}}


def radar(entry: CheckedEntry) -> Figure | None:
    """The share of each fixed command that every seed achieves, median over environments; None without a probe.

    Dotted in the second simulator.
    """
    data: list[dict[str, Any]] = []
    for k, seed in enumerate(entry.seeds):
        if seed.probe is None:
            continue
        name, colour = f"seed {seed.run.seed}", COLOURS[k % len(COLOURS)]
        data.append(_round(name, colour, "solid", seed.probe.cases))
        if seed.sim2sim is not None and seed.sim2sim.probe:
            data.append(_round(f"{name} in MuJoCo", colour, "dot", seed.sim2sim.probe))
    if not data:
        return None
    around = data[0]["theta"]
    told = {"line": {"color": GRAY, "dash": "dash", "width": 1.2}, "hoverinfo": "skip", "mode": "lines"}
    data.append({"type": "scatterpolar", "name": "as commanded", "theta": around, "r": [1.0] * len(around)} | told)
    values = [value for trace in data for value in trace["r"]]
    axis = {
        "range": [min(0.0, *values), 1.05 * max(values)],
        "tickformat": ".0%",
        "angle": 0,
        "tickangle": 0,
        "nticks": 4,
    }
    return {"data": data, "layout": {"polar": {"radialaxis": axis}}}


def _round(name: str, colour: str, dash: str, cases: Sequence[ProbeCase]) -> dict[str, Any]:
    """The cases around a circle, the first one again at the end."""
    closed = [*cases, cases[0]]
    return {
        "type": "scatterpolar",
        "name": name,
        "theta": [case.name.replace("_", " ") for case in closed],
        "r": [_short(case.share_median) for case in closed],
        "customdata": [[case.following, len(case.fell), case.falls] for case in closed],
        "mode": "lines+markers",
        "line": {"color": colour, "dash": dash, "width": 1.6},
        "marker": {"size": 5},
        "hovertemplate": "<b>%{theta}: %{r:.0%}</b><br>%{customdata[0]} of %{customdata[1]} follow, "
        "%{customdata[2]} fell<extra>%{fullData.name}</extra>",
    }


def _short(value: float) -> float:
    """A number as precise as a picture shows it."""
    return float(f"{value:.5g}")
