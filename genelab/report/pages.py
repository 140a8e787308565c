"""Composes the pages of a report and writes the folder."""

import re
import shutil
from collections.abc import Sequence
from importlib.resources import as_file, files
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, NamedTuple

from genelab import __version__
from genelab.campaign.files import Campaign, load
from genelab.campaign.page import ITEM_HEAD, TARGET_HEAD, item_row, target_row
from genelab.campaign.results import verdicts
from genelab.campaign.state import standings
from genelab.compare.compare import compare
from genelab.config.commands import CompareCfg
from genelab.errors import GenelabError, InputError
from genelab.publish.overview import HEAD, cells
from genelab.publish.view import current, entry_view
from genelab.records import names
from genelab.records.check import CheckedEntry
from genelab.records.statistics import mean
from genelab.report.figures import curves, episodes, radar
from genelab.report.items import Item, is_campaign, read_items
from genelab.runs.files import disk_errors, write_json
from genelab.show.compare import difference_lines, metric_cells, verdict_lines

MARK = "report.json"
"""File that says that a folder is a report, so that it may be written anew."""
SCHEMA = "genelab/report/1"
ASSETS, FILES = "assets", "files"


class Report(NamedTuple):
    """A report, composed."""

    texts: dict[str, str]
    """Text of each page, by its name in the folder."""
    copies: dict[str, Path]
    """Pictures and clips, by their place in the folder."""
    broken: list[str]
    """A line on each thing that is shown as broken."""


def compose(given: Sequence[str], store: Path) -> Report:
    """Compose a report.

    Args:
        given: entries, sweeps, runs, trees of them, campaigns, or TASK/ENTRY of the store. Empty for the whole store.
        store: root of the store.

    Raises:
        InputError: if something does not exist, or holds nothing to show.
    """
    folders = [Path(name) for name in given if is_campaign(Path(name))]
    others = [name for name in given if not is_campaign(Path(name))]
    campaigns = [_campaign(folder, store) for folder in folders]
    made = [str(path) for campaign in campaigns for path in campaign["entries"]]
    items = read_items([*others, *made] if given else [str(store)], store)
    pages = _Names()
    texts: dict[str, str] = {}
    copies: dict[str, Path] = {}
    rows: list[dict[str, Any]] = []
    for task, group in groupby(items, key=lambda item: item.task):
        page, own = pages.of("task", task), list(group)
        found = [_row(item, f"{page}#set-{k}") for k, item in enumerate(own)]
        rows += found
        texts[page] = _render("task.html", **_task_page(task, own, page, copies), rows=found)
    links = {item.path.resolve(): row["link"] for item, row in zip(items, rows, strict=True)}
    for campaign in campaigns:
        campaign["page"] = pages.of("campaign", campaign["name"])
        campaign["links"] = {name: links[path.resolve()] for name, path in campaign["made"].items()}
        texts[campaign["page"]] = _render("campaign.html", campaign=campaign, title=campaign["name"])
    told = _headline(items)
    texts["index.html"] = _render("index.html", title="Report", rows=rows, campaigns=campaigns, headline=told)
    broken = [f"{item.path}: {item.problems[0]}" for item in items if item.broken]
    return Report(texts, copies, broken + [f"{c['name']}: {c['problem']}" for c in campaigns if c["problem"]])


class _Names:
    """File names of pages, each once in any letter case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, kind: str, name: str) -> str:
        slug = f"{kind}-{re.sub(r'[^a-z0-9._-]+', '-', name.lower())[:80]}"
        unique = next(s for k in range(1, 10**6) if (s := slug + f"-{k}" * (k > 1)) not in self._taken)
        self._taken.add(unique)
        return f"{unique}.html"


def _row(item: Item, link: str) -> dict[str, Any]:
    """A row of the overview."""
    row: dict[str, Any] = {"item": item, "link": link, "cells": [], "variant": None, "hardware": "", "way": None}
    if item.entry is not None:
        record = item.entry.record
        row |= {"cells": cells(item.entry), "variant": record.variant, "way": _way(item.entry)}
        row["hardware"] = "; ".join(dict.fromkeys(m.gpu.name if m.gpu else m.cpu.model for m in record.machines))
    return row


def _way(entry: CheckedEntry) -> int | None:
    """How far the mean lies between doing nothing and the largest return, per cent; None where that is not known."""
    ceiling, runs = entry.record.return_ceiling, entry.record.runs
    if ceiling is None or entry.record.aggregate is None:
        return None
    idle = mean([run.idle_return_mean for run in runs])
    share = (entry.record.aggregate.mean - idle) / (ceiling - idle) if ceiling > idle else 0.0
    return round(100 * min(1.0, max(0.0, share)))


def _headline(items: Sequence[Item]) -> str:
    shown = [item.entry for item in items if item.entry]
    runs = [run for entry in shown for run in entry.record.runs]
    above = sum(run.above_idle for run in runs)
    told = f"{_count(len({item.task for item in items}), 'task')}, {_count(len(items), 'set')} of seeds. "
    told += f"Of {_count(len(runs), 'finished seed')}, {'all' if above == len(runs) else above} earn clearly more than "
    told += "doing nothing."
    broken, waiting = sum(item.broken for item in items), sum(not (item.broken or item.entry) for item in items)
    told += f" {_count(broken, 'set')} did not pass the check." if broken else ""
    return told + (f" {_count(waiting, 'set')} have no finished seed yet." if waiting else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)


def _task_page(task: str, items: Sequence[Item], page: str, copies: dict[str, Path]) -> dict[str, Any]:
    """What the template of a task shows. Adds to `copies` what the page links to."""
    entries = [item.entry for item in items if item.entry]
    figures: dict[str, Any] = {}
    figure, notes = curves([item for item in items if not item.broken])
    if figure:
        figures["curves"] = figure
    sets: list[dict[str, Any]] = []
    for k, item in enumerate(items):
        view: dict[str, Any] = {"item": item}
        if item.entry is not None:
            shown = entry_view(item.entry, Path(page))
            # Its links lead into the store, which the folder does without.
            shown["provenance"] = [(name, text) for name, text in shown["provenance"] if name != "Records"]
            view |= {"shown": shown} | _media(item.entry, f"{FILES}/{Path(page).stem}/{k}", copies)
            figures[f"episodes-{k}"] = episodes(item.entry)
            if polar := radar(item.entry):
                figures[f"radar-{k}"] = polar
        sets.append(view)
    return {
        "title": task,
        "summary": current(entries).record.summary if entries else "",
        "sets": sets,
        "figures": figures,
        "notes": notes,
        "pairs": [_pair(old, new) for new, old in combinations([item for item in items if item.entry], 2)],
    }


def _media(entry: CheckedEntry, folder: str, copies: dict[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """Film strips, drawn probes and clips of every seed, and where the folder keeps them."""
    found: dict[str, list[dict[str, Any]]] = {"films": [], "probes": [], "clips": []}
    patterns = {"films": names.FILM, "probes": names.PROBE_PLOT, "clips": f"{names.FILMS}/*.mp4"}
    for seed in entry.seeds:
        for kind, pattern in patterns.items():
            for path in sorted(seed.path.glob(pattern)):
                place = f"{folder}/seed_{seed.run.seed}/{path.name}"
                copies[place] = path
                found[kind].append({"seed": seed.run.seed, "place": place, "name": path.stem})
    return found


def _pair(old: Item, new: Item) -> dict[str, Any]:
    """The comparison of two sets, as `genelab compare` makes it."""
    record = compare(old.side, new.side, CompareCfg())
    word = record.verdict.replace("_", " ")
    columns = metric_cells(record.metrics)
    return {
        "name": f"{old.label} → {new.label}",
        "verdict": word,
        "lines": [line.removeprefix(f"{word}: ") for line in verdict_lines(record)],
        "head": list(columns),
        "rows": list(zip(*columns.values(), strict=True)),
        "remarks": [*(f"not reliable: {told}" for told in record.unreliable), *(f"note: {n}" for n in record.notes)],
        "config": difference_lines(record.config),
        "stamps": difference_lines(record.stamps),
    }


def _campaign(folder: Path, store: Path) -> dict[str, Any]:
    """What the pages show of a campaign, with the paths of the entries that its items made."""
    view: dict[str, Any] = {"name": folder.resolve().name, "problem": None, "entries": [], "made": {}}
    try:
        view |= _sound_campaign(load(folder), store)
    except GenelabError as error:
        view["problem"] = str(error)
    return view


def _sound_campaign(campaign: Campaign, store: Path) -> dict[str, Any]:
    sound = [item.entry for item in read_items([str(store)], store) if item.entry and item.kind == "entry"]
    entries = {(entry.record.task, entry.record.entry_id): entry for entry in sound}
    found = standings(campaign, entries)
    made = {name: each.entry.path for name, each in found.items() if each.entry}
    return {
        "record": campaign.record,
        "target_head": TARGET_HEAD,
        "targets": [target_row(campaign, target, found, entries) for target in campaign.record.targets],
        "item_head": ITEM_HEAD,
        "items": [item_row(each, found, verdicts(campaign, each, found, entries)) for each in found.values()],
        "events": [event for event in campaign.events if event.what not in ("new", "add", "queue")],
        "made": made,
        "entries": list(dict.fromkeys(made.values())),
    }


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    # Cells and lines are written for Markdown. Whatever text they hold makes no link, and loads nothing.
    markdown = MarkdownIt("commonmark", {"html": False}).disable(["link", "image", "autolink"])

    def inline(text: str) -> Markup:
        return Markup(markdown.renderInline(text))

    loader = PackageLoader("genelab.report")
    jinja = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    jinja.filters["inline"] = inline
    head: Any = {"overview_head": HEAD[1:], "version": __version__}
    jinja.globals.update(head)
    return jinja.get_template(f"{template}.j2").render(**values)


def require_out(out: Path) -> None:
    """Check that a report may be written to a folder: it is not there, empty, or a report. Raises InputError."""
    if out.is_dir() and not out.is_symlink():
        if any(out.iterdir()) and not (out / MARK).is_file():
            raise InputError(f"--out {out}: exists and is no report; choose another place")
    elif out.exists() or out.is_symlink():
        raise InputError(f"--out {out}: exists and is no directory")


def write(report: Report, out: Path) -> None:
    """Write the folder beside its place and move it there, in place of an earlier report.

    Raises:
        InputError: as `require_out`, or it cannot be written.
        RunError: if the disk is full.
    """
    require_out(out)
    out = out.resolve()
    draft, old = (out.with_name(f".{out.name}.{kind}") for kind in ("draft", "old"))
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (draft, old):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            _fill(report, draft)
            if out.exists():
                out.rename(old)
            draft.rename(out)
        except OSError:
            if old.exists() and not out.exists():
                old.rename(out)
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _fill(report: Report, folder: Path) -> None:
    with as_file(files("genelab.report") / ASSETS) as own:
        shutil.copytree(own, folder / ASSETS)
    with as_file(files("plotly") / "package_data" / "plotly.min.js") as library:
        shutil.copyfile(library, folder / ASSETS / library.name)
    for place, path in report.copies.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / place)
    for name, text in report.texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    write_json(folder / MARK, {"schema": SCHEMA, "genelab": __version__, "pages": sorted(report.texts)})
