"""One picture per group: range, spread and bound of every column, and where flags are."""

import re
from pathlib import Path
from typing import Any

from genelab.records.inspection import InspectedColumn, InspectedGroup, Inspection
from genelab.runs.files import disk_errors, write_atomic
from genelab.show.svg import svg

SOUND, FLAGGED = "#1f77b4", "#d62728"


def write_pictures(inspection: Inspection, folder: Path) -> list[Path]:
    """Write `observations_<group>.svg` and `actions.svg` into a folder, which is made if it is missing.

    Raises:
        InputError, RunError: if the folder cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for number, group in enumerate(inspection.groups, start=1):
        # The actions come last. A group's name is a path to nobody.
        last = number == len(inspection.groups)
        name = "actions" if last else f"observations_{re.sub(r'[^A-Za-z0-9]', '_', group.name)}"
        paths.append(folder / f"{name}.svg")
        write_atomic(paths[-1], draw(group, f"{inspection.task}: {group.name}"))
    return paths


def draw(group: InspectedGroup, title: str) -> str:
    """SVG text of a group. Every column has an axis of its own, as units differ."""

    def fill(figure: Any) -> None:
        figure.suptitle(f"{title}\nline: range, bar: mean ± std, dashes: bound, red: flagged", fontsize=9)
        all_axes = figure.subplots(len(group.columns), 1, squeeze=False)[:, 0]
        for axes, column in zip(all_axes, group.columns, strict=True):
            _draw_column(axes, column)

    return svg(8.0, 0.55 * len(group.columns) + 0.9, fill)


def _draw_column(axes: Any, column: InspectedColumn) -> None:
    colour = FLAGGED if column.flags else SOUND
    if column.mean is not None and column.std is not None:
        axes.plot([column.min, column.max], [0, 0], color=colour, linewidth=1.2)
        axes.barh(0, 2 * column.std, left=column.mean - column.std, height=0.6, color=colour, alpha=0.5)
        axes.plot([column.mean], [0], color=colour, marker="|", markersize=10)
    for edge in column.bound or ():
        axes.axvline(edge, color="black", linestyle="--", linewidth=0.9)
    axes.set_ylim(-0.6, 0.6)
    axes.set_yticks([])
    axes.tick_params(labelsize=6, pad=1, length=2)
    axes.set_ylabel(column.name, rotation=0, ha="right", va="center", fontsize=8)
    if column.flags:
        told = ", ".join(flag.replace("_", " ") for flag in column.flags)
        axes.text(0.995, 0.95, told, transform=axes.transAxes, ha="right", va="top", fontsize=6, color=FLAGGED)
