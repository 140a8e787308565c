"""One row per task and variant: the table that a reader sees first, on the page and in the README."""

from collections.abc import Sequence
from pathlib import Path

from genelab.errors import FileError
from genelab.publish.facts import link
from genelab.records.check import CheckedEntry
from genelab.records.derived import share_of_the_way
from genelab.show.table import markdown
from genelab.show.text import NONE, cell, number, single

HEAD = ("task", "seeds", "return", "doing nothing", "largest", "reached", "in MuJoCo", "hours a seed", "verdict")
BEGIN, END = "<!-- results: rendered by `genelab render` -->", "<!-- end of results -->"
"""Lines of a README between which the table stands."""


def overview(entries: Sequence[CheckedEntry], page: Path, shown_on: Path) -> str:
    """The table in Markdown, a row per entry.

    Args:
        entries: the entry that stands for each task and variant.
        page: the page on which each has a section.
        shown_on: the page that will hold the table.
    """
    target = "" if shown_on == page else link(page, shown_on)
    return markdown(HEAD, [(f"[{section(entry)}]({target}#{anchor(entry)})", *cells(entry)) for entry in entries])


def with_overview(readme: Path, entries: Sequence[CheckedEntry], page: Path) -> str | None:
    """The text of a README with the table between its two lines; None if it has no such lines.

    Raises:
        FileError: if one of them is missing.
    """
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text and END not in text:
        return None
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise FileError(readme, f"must have both lines '{BEGIN}' and '{END}', in this order")
    return f"{head}{begin}\n\n{overview(entries, page, readme)}\n{end}{tail}"


def section(entry: CheckedEntry) -> str:
    """Heading of the entry's task and variant."""
    variant = entry.record.variant
    return entry.record.task + (f", variant `{variant}`" if variant else "")


def anchor(entry: CheckedEntry) -> str:
    """What a link to that heading ends with, as GitHub makes it."""
    return section(entry).lower().replace(",", "").replace("`", "").replace(" ", "-")


def cells(entry: CheckedEntry) -> tuple[str, ...]:
    """The row of an entry behind its task, in Markdown: a cell for each of HEAD[1:]."""
    record, runs = entry.record, entry.record.runs
    planned = len(record.seeds.planned)
    kept = [run.sim2sim.kept_return for run in runs if run.sim2sim and run.sim2sim.kept_return is not None]
    return (
        str(planned) if record.aggregate else f"**{len(runs)}/{planned}**",
        _return(entry),
        single([run.idle_return_mean for run in runs]),
        number(record.return_ceiling),
        _reached(entry),
        f"{_percent(kept)} kept" if kept else NONE,
        single([run.train_wall_s / 3600 for run in runs], 1),
        cell("; ".join(_verdicts(entry))),
    )


def _return(entry: CheckedEntry) -> str:
    over = entry.record.aggregate
    if over is None or over.ci95 is None:
        return single([run.metrics.return_mean for run in entry.record.runs])
    return f"{number(over.mean)} ({number(over.ci95[0])} to {number(over.ci95[1])})"


def _reached(entry: CheckedEntry) -> str:
    """Success where there is a goal, else the share of the commanded distance where there are commands."""
    rates = [run.metrics.success_rate for run in entry.record.runs]
    if found := [rate for rate in rates if rate is not None]:
        return f"{_percent(found)} success"
    ways = [share_of_the_way(seed.eval.episodes) for seed in entry.seeds]
    known = [way for way in ways if way is not None]
    return f"{_percent(known)} of the distance" if known else NONE


def _verdicts(entry: CheckedEntry) -> list[str]:
    runs = entry.record.runs
    found = ["preview"] if entry.record.status == "preview" else []
    below = [str(run.seed) for run in runs if not run.above_idle]
    found.append(f"**seed {', '.join(below)} not above doing nothing**" if below else "clearly above doing nothing")
    found += ["**success that luck explains**"] if any(run.success_above_idle is False for run in runs) else []
    for than, errors in (
        ("doing nothing", [run.no_better_than_idle for run in runs]),
        ("standing still", [run.no_better_than_frozen for run in runs]),
    ):
        if named := sorted({error.replace("_", " ") for each in errors for error in each or ()}):
            found.append(f"**no better than {than} in {' and '.join(named)}**")
    lost = [str(run.seed) for run in runs if run.sim2sim and run.sim2sim.lost]
    return found + ([f"**seed {', '.join(lost)} loses in MuJoCo**"] if lost else [])


def _percent(shares: Sequence[float]) -> str:
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return low if low == high else f"{low} to {high}"
