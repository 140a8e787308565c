"""Measure how often the rule of `genelab compare` errs, on simulated seeds; see docs/guides/compare.md.

It writes docs/data/compare_error_rates.json, which `scripts/render_data.py` renders.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genelab.compare.rule import seeds_needed, verdicts, welch

FILE = Path(__file__).parents[1] / "docs" / "data" / "compare_error_rates.json"
DRAWS, SEED = 200_000, 1
WORDS = ("regression", "equivalent", "undecided", "improvement")
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def _normal(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return random.normal(size=shape)


def _ceiling(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return -random.exponential(size=shape)


def _failing(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return np.where(random.random(shape) < 0.2, -20.0, random.normal(size=shape))


def _wide(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return 3.0 * random.normal(size=shape)


# The standard deviation of a good seed is 1, and doing nothing earns 20 less, so that a margin of 5 % is 1, too.
SHAPES: dict[str, tuple[Draw, Draw]] = {
    "normal": (_normal, _normal),
    "exponential tail below a ceiling": (_ceiling, _ceiling),
    "20 % of the seeds fail": (_failing, _failing),
    "B spreads three times as wide": (_normal, _wide),
}


def shares(shape: str, n: int, m: int, drop: float, margin: float, random: np.random.Generator) -> dict[str, Any]:
    """Shares of the verdicts where B is worse by `drop`, with n and m seeds."""
    old, new = SHAPES[shape]
    found = verdicts(welch(old(random, (DRAWS, n)), new(random, (DRAWS, m)) - drop), margin)
    rates = {word: round(float((found == word).mean()), 4) for word in WORDS}
    return {"seeds": shape, "n_a": n, "n_b": m, "true_drop": drop, "margin": margin, **rates}


def asked_for(n: int, drop: float, margin: float, random: np.random.Generator, tries: int = 2000) -> dict[str, Any]:
    """What comes of undecided comparisons, when as many new seeds are trained as the rule asks for."""
    needed: list[int] = []
    decided = 0
    while len(needed) < tries:
        old, new = random.normal(size=n), random.normal(-drop, size=n)
        if verdicts(welch(old, new), margin) != "undecided":
            continue
        asked = seeds_needed(old, new, margin) or 1000
        needed.append(asked)
        again = welch(random.normal(size=asked), random.normal(-drop, size=asked))
        decided += int(verdicts(again, margin) != "undecided")
    told = {"n": n, "true_drop": drop, "margin": margin, "undecided": tries}
    return told | {"median_asked": float(np.median(needed)), "decided": round(decided / tries, 3)}


def measure() -> dict[str, Any]:
    """Every number of the page."""
    random = np.random.default_rng(SEED)
    sizes = ((3, 3), (3, 5), (5, 5), (10, 10))
    return {
        "draws": DRAWS,
        "seed": SEED,
        "verdicts": [shares("normal", n, m, drop, 1.0, random) for drop in (0.0, 1.0, 2.0, 3.0) for n, m in sizes],
        "small_spread": [shares("normal", 3, 3, drop, 10.0, random) for drop in (0.0, 5.0, 15.0)],
        "shapes": [shares(shape, n, n, 0.0, 1.0, random) for shape in SHAPES for n in (3, 5, 10)],
        "without_margin": [shares(shape, n, n, 0.0, 0.0, random) for shape in SHAPES for n in (3, 5, 10)],
        "asked_for": [asked_for(n, drop, 1.0, random) for n in (3, 5) for drop in (0.0, 2.0)],
    }


def main() -> None:
    """Write the measured rates."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(measure(), indent=1) + "\n")
    print(f"wrote {FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE.name}")


if __name__ == "__main__":
    main()
