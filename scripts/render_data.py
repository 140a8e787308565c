"""Render what the docs quote from committed data: comparisons of real trainings, error rates, published rows.

On every page, what stands between `<!-- rendered: NAME -->` and `<!-- end -->` is replaced. Pictures of the comparisons
are drawn too.
"""

import json
import re
from pathlib import Path
from typing import Any

from scipy import stats

from genelab.records.compare import CompareRecord
from genelab.records.files import read_record
from genelab.show.compare import draw, lines

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DATA = DOCS / "data"
BLOCK = re.compile(r"<!-- rendered: ([\w ]+) -->\n.*?<!-- end -->\n", re.DOTALL)


def pages() -> list[Path]:
    """The pages that quote data."""
    return [page for page in sorted(DOCS.rglob("*.md")) if BLOCK.search(page.read_text())]


def comparison(name: str) -> CompareRecord:
    """A committed output of `genelab compare --json`."""
    return read_record(DATA / "compare" / f"{name}.json", CompareRecord)


def rendered(page: str) -> str:
    """The page with every block as its data say."""
    rates = json.loads((DATA / "compare_error_rates.json").read_text())

    def block(found: re.Match[str]) -> str:
        kind, _, name = found[1].partition(" ")
        texts = {
            "rates": lambda: _rates(rates, name),
            "comparison": lambda: _report(name),
            "episodes": _over_episodes,
            "published": _published,
        }
        text = texts[kind]()
        return f"<!-- rendered: {found[1]} -->\n{text}\n<!-- end -->\n"

    return BLOCK.sub(block, page)


def _report(name: str) -> str:
    return "\n".join(["```text", *lines(comparison(name)), "```"])


def _over_episodes() -> str:
    """What a t test over the episodes of all seeds would say of equal trainings."""
    returns = json.loads((DATA / "compare_episodes.json").read_text())
    a, b = ([value for seed in returns[name].values() for value in seed] for name in ("base", "fresh"))
    test = stats.ttest_ind(b, a, equal_var=False)
    low, high = test.confidence_interval(0.95)
    told = f"difference {low:+.4f} to {high:+.4f} (95 %), p = {test.pvalue:.0e}"
    return f"A t test over the {len(a)} and {len(b)} episodes, as if each were a training: {told}."


def _published() -> str:
    """The published rows of the pendulums beside what doing nothing earns, as the targets of the campaign state it."""
    rows = json.loads((ROOT / "reference" / "upstream" / "published_numbers.json").read_text())
    targets = json.loads((ROOT / "campaigns" / "rebaseline-0.2" / "campaign.json").read_text())["targets"]
    idle = {target["task"]: target["idle"] for target in targets}
    tasks = [f"GeneLab-{name}Inverted-Pendulum-v0" for name in ("", "Double-")]
    found = [[f"{r['return_mean']:.3f}" for r in rows if (r["task"], r["label"]) == (task, "v1.0")] for task in tasks]
    lines = [[f"`{task}`", ", ".join(means), f"{idle[task]:.3f}"] for task, means in zip(tasks, found, strict=True)]
    return _table(["task", "published rows (v1.0, three seeds)", "doing nothing"], lines)


def _rates(data: dict[str, Any], name: str) -> str:
    heads, row = TABLES[name]
    return _table(heads, [row(values) for values in data[name]])


def _table(heads: list[str], body: list[list[str]]) -> str:
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
    """Write pages and pictures."""
    for page in pages():
        page.write_text(rendered(page.read_text()))
    for name in ("slow", "fresh"):
        (DOCS / "images" / f"compare_{name}.svg").write_text(draw(comparison(name)))


if __name__ == "__main__":
    main()
