"""Learning-curve pictures: one SVG per task, every seed beside what doing nothing earns.

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

from genelab.config.snapshot import sha256_json
from genelab.config.task import TaskSpec
from genelab.records.check import CheckedEntry
from genelab.show.svg import svg
from genelab.show.text import single

STYLE_VERSION = 2
"""Rises with every change of the drawing, so that old pictures are drawn again."""
_MARK = re.compile(r"<!-- genelab curves: data ([0-9a-f]{64}) drawing ([0-9a-f]{64}) -->\n")


def curve_data(entry: CheckedEntry) -> dict[str, Any]:
    """What the picture of an entry shows, as plain JSON."""
    record = entry.record
    return {
        "style": STYLE_VERSION,
        "task": record.task,
        "entry": record.entry_id,
        "budget": max(seed.curve.budget for seed in entry.seeds),
        "stages": [[name or "the task", begin, end] for name, begin, end in _stages(entry.seeds[0].task)],
        "idle": [run.idle_return_mean for run in record.runs],
        "seeds": [[s.run.seed, list(s.curve.iterations), list(s.curve.returns)] for s in entry.seeds],
    }


def _stages(task: TaskSpec) -> list[tuple[str | None, int, int]]:
    """Each stage with the iteration that it begins with, and that of the next."""
    found, begin = [], 0
    for name, stage in task.line():
        found.append((name, begin, begin + stage.train.iterations))
        begin += stage.train.iterations
    return found


def draw(entry: CheckedEntry) -> str:
    """SVG text of an entry's picture. Equal entries give equal text on one machine."""
    data = curve_data(entry)
    head, _, body = svg(7.0, 3.6, lambda figure: _fill(figure, data)).partition("\n")
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
    axes: Any = figure.add_subplot()
    for number, (seed, iterations, returns) in enumerate(data["seeds"]):
        rows = list(zip(iterations, returns, strict=True))
        for _, begin, end in data["stages"]:
            # Each stage has rewards of its own: no line leads from one to the next.
            own = [(i + 1, value) for i, value in rows if begin <= i < end]
            label = f"seed {seed}" if end == data["budget"] else None
            axes.plot(*zip(*own, strict=True), linewidth=1.4, color=f"C{number % 10}", label=label) if own else None
    _stage_lines(axes, data["stages"])
    _idle_line(axes, data["idle"], data["stages"][-1][1], data["budget"])
    axes.set_xlim(0, data["budget"])
    axes.set_xlabel("iterations done")
    axes.set_ylabel("return of the last 100 training episodes")
    axes.set_title(f"{data['task']} ({data['entry']})", fontsize=10)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="best")


def _stage_lines(axes: Any, stages: Sequence[tuple[str, int, int]]) -> None:
    """Where each stage but the first begins, with its name."""
    for name, begin, _ in stages[1:]:
        axes.axvline(begin, color="gray", linestyle=":", linewidth=1.0)
        axes.text(begin, 0.02, f" {name}", fontsize=7, color="gray", rotation=90, transform=axes.get_xaxis_transform())


def _idle_line(axes: Any, idle: Sequence[float], begin: int, end: int) -> None:
    """What doing nothing earns in the last stage, whose rewards are the task's."""
    for value in sorted(set(idle)):
        axes.hlines(value, begin, end, color="black", linestyle="--", linewidth=1.0)
    axes.plot([], [], color="black", linestyle="--", linewidth=1.0, label=f"doing nothing: {single(idle)}")
