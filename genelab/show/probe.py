"""Table and picture of a probe."""

import re
from collections.abc import Sequence
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from genelab.records.probe import ProbeCase, ProbeRecord
from genelab.records.seed_files import SeedFiles
from genelab.show.svg import svg
from genelab.show.table import table_lines
from genelab.show.text import NONE

FELL, STANDING = "#d62728", "#1f77b4"
NOTHING: dict[str, Any] = {"color": "gray", "linewidth": 0.6}
ALL: dict[str, Any] = {"color": "gray", "linewidth": 0.6, "linestyle": "--"}


def lines(record: ProbeRecord) -> list[str]:
    """The table as text: one line for each case, shares of the command in per cent."""
    return case_lines(record.cases, record.probe.columns)


def case_lines(cases: Sequence[ProbeCase], components: Sequence[str]) -> list[str]:
    """The same of cases alone. `components`: names of those of a command."""
    columns = {
        "case": [case.name for case in cases],
        **{name: [f"{case.command[k]:.2f}" for case in cases] for k, name in enumerate(components)},
        "median": [f"{case.share_median:.1%}" for case in cases],
        "10 %": [f"{case.share_p10:.1%}" for case in cases],
        "fell": [f"{case.falls}/{len(case.fell)}" for case in cases],
        "following": [f"{case.following}/{len(case.fell)}" for case in cases],
    }
    return table_lines(columns, left=("case",))


def probe_rows(seeds: Sequence[SeedFiles]) -> list[tuple[str, ...]]:
    """The table of an entry: one row for each case, ranges over seeds; none for a task without a probe."""
    records = [seed.probe for seed in seeds if seed.probe is not None]
    others = [seed.sim2sim.probe for seed in seeds if seed.sim2sim is not None]
    elsewhere = [_percent([case.share_median for case in cases]) for cases in zip(*others, strict=True)]
    rows: list[tuple[str, ...]] = []
    for k, cases in enumerate(zip(*(record.cases for record in records), strict=True)):
        first, count = cases[0], records[0].num_envs
        rows.append(
            (
                first.name.replace("_", " "),
                *(f"{part:g}" for part in first.command),
                _percent([case.share_median for case in cases]),
                _percent([case.share_p10 for case in cases]),
                f"{_whole([case.falls for case in cases])} of {count}",
                f"{_whole([case.following for case in cases])} of {count}",
                elsewhere[k] if elsewhere else NONE,
            )
        )
    return rows


def _percent(values: Sequence[float]) -> str:
    low, high = f"{min(values):.0%}", f"{max(values):.0%}"
    return low if low == high else f"{low} to {high}"


def _whole(values: Sequence[int]) -> str:
    return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"


def _without_number(case: str, component: str) -> str:
    """The name of a case before its command, without the number that is in it; nothing if it only repeats that."""
    told = re.sub(r"(_at)?(_\d+)+$", "", case)
    return "" if told == component else f"{told.replace('_', ' ')}: "


def draw(record: ProbeRecord) -> str:
    """SVG text: every environment's share of each command, red whoever fell; the median as a bar."""
    return svg(8.0, 0.45 * len(record.cases) + 1.8, lambda figure: fill(figure, record))


def fill(figure: Any, record: ProbeRecord) -> None:
    """Draw the picture into a matplotlib figure."""
    axes = figure.subplots()
    axes.set_title(f"{record.task}, seed {record.seed}: {record.num_envs} environments per command", fontsize=9)
    labels: list[str] = []
    for row, case in enumerate(record.cases):
        component, asked = next((n, part) for n, part in zip(record.probe.columns, case.command, strict=True) if part)
        labels.append(f"{_without_number(case.name, component)}{component} {asked:g}")
        for k, (achieved, down) in enumerate(zip(case.achieved, case.fell, strict=True)):
            place = row + 0.5 * (k / len(case.fell) - 0.5)
            axes.plot([achieved / asked], [place], ".", color=FELL if down else STANDING, markersize=2)
        axes.plot([case.share_median] * 2, [row - 0.35, row + 0.35], color="black", linewidth=1.5)
    axes.axvline(0.0, **NOTHING)
    axes.axvline(1.0, **ALL)
    axes.set_yticks(range(len(record.cases)), labels, fontsize=8)
    axes.set_ylabel("command", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("share of the command achieved, mean over the measured steps", fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(visible=True, axis="x", alpha=0.3)
    dot: dict[str, Any] = {"linestyle": "", "marker": ".", "markersize": 5}
    handles = [
        Line2D([], [], color=STANDING, label="an environment", **dot),
        Line2D([], [], color=FELL, label="one that fell", **dot),
        Line2D([], [], color="black", linestyle="", marker="|", markersize=8, label="median"),
        Line2D([], [], label="nothing", **NOTHING),
        Line2D([], [], label="as commanded", **ALL),
    ]
    figure.legend(handles=handles, fontsize=7, loc="outside lower center", ncols=len(handles))
