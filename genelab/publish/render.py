"""`genelab render`: the reference page and its pictures, from the files of the store alone."""

from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from genelab.publish.overview import overview, with_overview
from genelab.publish.published import read_differences, read_published
from genelab.publish.store import load_store
from genelab.publish.view import current, task_view
from genelab.records.check import CheckedEntry
from genelab.runs.files import write_atomic
from genelab.show.curves import draw, is_ours, problem
from genelab.show.table import markdown
from genelab.show.text import cell, number

PAGE = "reference-runs.md"
PICTURES = "curves"
README = "README.md"


class Rendering(NamedTuple):
    """What the docs folder, and the README beside it, must hold."""

    page: Path
    """The page of all entries."""
    texts: dict[Path, str]
    """The text of each file: the page, and a README that shows the overview."""
    pictures: dict[Path, CheckedEntry]
    """The entry that each picture shows."""

    @property
    def text(self) -> str:
        """The text of the page."""
        return self.texts[self.page]


def compose(store: Path, docs: Path) -> Rendering:
    """Compose the page. Equal stores give equal text on any machine.

    Raises:
        RunError: if the check of an entry has findings, or the published rows are broken.
    """
    page = docs / PAGE
    published, differences = read_published(store), read_differences(store)
    pictures: dict[Path, CheckedEntry] = {}
    tasks: list[object] = []
    for task, group in groupby(load_store(store), key=lambda entry: entry.record.task):
        for variant, entries in _by_variant(list(group)):
            # No identifier of a task has an underscore.
            picture = docs / PICTURES / (f"{task}_{variant}.svg" if variant else f"{task}.svg")
            pictures[picture] = current(entries)
            tasks.append(task_view(entries, published, differences, page, picture))
    shown = [*pictures.values()]
    text = fill(
        "genelab.publish", PAGE, tasks=tasks, store=store.name, overview=overview(shown, page, page) if shown else ""
    )
    texts = {page: text}
    readme = docs.parent / README
    if readme.is_file() and (filled := with_overview(readme, shown, page)) is not None:
        texts[readme] = filled
    return Rendering(page, texts, pictures)


def fill(package: str, page: str, **values: Any) -> str:
    """The text of a page from the template of its name in a package."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Markdown, so nothing is escaped; `cell` guards the free text.
    jinja = Environment(loader=PackageLoader(package), trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    jinja.filters.update(cell=cell, number=number)
    table: Any = markdown
    jinja.globals["table"] = table
    return _tidy(jinja.get_template(f"{page}.j2").render(**values))


def write(rendering: Rendering) -> list[Path]:
    """Write what differs and remove pictures of tasks that have no entry. Returns the paths that changed."""
    changed: list[Path] = []
    rendering.page.parent.mkdir(parents=True, exist_ok=True)
    for path, text in rendering.texts.items():
        if _differs(path, text):
            path.parent.mkdir(exist_ok=True)
            write_atomic(path, text)
            changed.append(path)
    for path, entry in rendering.pictures.items():
        if problem(path, entry):
            path.parent.mkdir(exist_ok=True)
            write_atomic(path, draw(entry))
            changed.append(path)
    for path in _orphans(rendering):
        # Another rendering at the same time may have removed it.
        path.unlink(missing_ok=True)
        changed.append(path)
    return changed


def differences(rendering: Rendering) -> list[str]:
    """One line on everything in the docs folder that is not as composed."""
    found = [f"{path}: differs from the records" for path, text in rendering.texts.items() if _differs(path, text)]
    for path, entry in rendering.pictures.items():
        trouble = problem(path, entry)
        if trouble:
            found.append(f"{path}: {trouble}")
    return found + [f"{path}: its task has no entry" for path in _orphans(rendering)]


def _by_variant(entries: list[CheckedEntry]) -> list[tuple[str | None, list[CheckedEntry]]]:
    """The entries of a task, those of the task itself first: a variant never stands for it."""
    variants = sorted({entry.record.variant for entry in entries}, key=lambda name: name or "")
    return [(variant, [e for e in entries if e.record.variant == variant]) for variant in variants]


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_bytes() != text.encode()


def _orphans(rendering: Rendering) -> list[Path]:
    present = sorted((rendering.page.parent / PICTURES).glob("*.svg"))
    return [path for path in present if path not in rendering.pictures and is_ours(path)]


def _tidy(text: str) -> str:
    """At most one empty line in a row, none at the end, no trailing blanks."""
    lines: list[str] = []
    for line in (line.rstrip() for line in text.splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"
