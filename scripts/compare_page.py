"""Render what docs/compare.md quotes from docs/data: comparisons of real trainings, and measured error rates.

What stands between `<!-- rendered: NAME -->` and `<!-- end -->` is replaced. Pictures of the comparisons are drawn too.
"""

import json
import re
from pathlib import Path
from typing import Any

from genelab.records.compare import CompareRecord
from genelab.records.files import read_record
from genelab.show.compare import draw, lines

DOCS = Path(__file__).parents[1] / "docs"
PAGE, DATA = DOCS / "compare.md", DOCS / "data"
BLOCK = re.compile(r"<!-- rendered: ([\w ]+) -->\n.*?<!-- end -->\n", re.DOTALL)


def comparison(name: str) -> CompareRecord:
    """A committed output of `genelab compare --json`."""
    return read_record(DATA / "compare" / f"{name}.json", CompareRecord)


def rendered(page: str) -> str:
    """The page with every block as its data say."""
    rates = json.loads((DATA / "compare_error_rates.json").read_text())

    def block(found: re.Match[str]) -> str:
        kind, _, name = found[1].partition(" ")
        text = _rates(rates, name) if kind == "rates" else "\n".join(["```text", *lines(comparison(name)), "```"])
        return f"<!-- rendered: {found[1]} -->\n{text}\n<!-- end -->\n"

    return BLOCK.sub(block, page)


def _rates(data: dict[str, Any], name: str) -> str:
    heads, row = TABLES[name]
    body = [row(values) for values in data[name]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *body))


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _verdicts(row: dict[str, Any]) -> list[str]:
    words = ("regression", "equivalent", "undecided", "improvement")
    return [f"{row['true_drop']:g}", f"{row['n_a']}, {row['n_b']}", *(_share(row[word]) for word in words)]


def _small(row: dict[str, Any]) -> list[str]:
    drop = f"{row['true_drop'] / row['margin']:g} margins"
    return [drop, *(_share(row[word]) for word in ("regression", "equivalent", "undecided"))]


def _shape(row: dict[str, Any]) -> list[str]:
    return [row["seeds"], f"{row['n_a']}, {row['n_b']}", _share(row["regression"]), _share(row["improvement"])]


def _asked(row: dict[str, Any]) -> list[str]:
    return [f"{row['n']}, {row['n']}", f"{row['true_drop']:g}", f"{row['median_asked']:g}", _share(row["decided"])]


VERDICTS = ["regression", "equivalent", "undecided"]
TABLES = {
    "verdicts": (["B is worse by", "seeds of A, B", *VERDICTS, "improvement"], _verdicts),
    "small_spread": (["B is worse by", *VERDICTS], _small),
    "shapes": (["seeds are drawn from", "seeds of A, B", "false regression", "false improvement"], _shape),
    "asked_for": (["seeds of A, B", "B is worse by", "seeds a side asked for (median)", "then decided"], _asked),
}
"""Head of each table, and what makes a row of it."""


def main() -> None:
    """Write page and pictures."""
    PAGE.write_text(rendered(PAGE.read_text()))
    for path in sorted((DATA / "compare").glob("*.json")):
        (DOCS / "images" / f"compare_{path.stem}.svg").write_text(draw(comparison(path.stem)))


if __name__ == "__main__":
    main()
