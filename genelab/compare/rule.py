"""The rule of `genelab compare`: pure functions over arrays, seeds last. Formulas: docs/guides/compare.md."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from genelab.records.statistics import LEVEL

Array = npt.NDArray[np.float64]

MOST_SEEDS = 1000
"""Number of seeds a side up to which `seeds_needed` looks."""


class Welch(NamedTuple):
    """A difference of means with its interval, difference ± half."""

    difference: Array
    """Mean of the new values less that of the old ones."""
    half: Array
    """Half width of the two-sided 95 % interval; 0 where neither side has any spread."""


def welch(old: npt.ArrayLike, new: npt.ArrayLike) -> Welch:
    """Welch's interval of the difference of means, with Satterthwaite's degrees of freedom.

    Args:
        old: shape (..., n).
        new: shape (..., m).

    Returns:
        Difference and half width, shape (...).

    Raises:
        ValueError: with fewer than two seeds on a side, or a value that is not finite.
    """
    a, b = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if min(a.shape[-1], b.shape[-1]) < 2:
        raise ValueError("an interval needs at least two seeds on each side")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a value is not finite")
    half = _half_width(a.var(axis=-1, ddof=1), b.var(axis=-1, ddof=1), a.shape[-1], b.shape[-1])
    return Welch(b.mean(axis=-1) - a.mean(axis=-1), half)


def verdicts(found: Welch, margin: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """The verdict on each difference, where more is better.

    Args:
        found: of `welch`.
        margin: difference that counts, in the unit of the values, at least 0.

    Returns:
        `regression`, `improvement`, `equivalent` or `undecided`.
    """
    margin, (difference, half) = np.asarray(margin), found
    low, high = difference - half, difference + half
    return np.select(
        [
            (high < 0.0) & (difference <= -margin),
            (low > 0.0) & (difference >= margin),
            (low >= -margin) & (high <= margin),
        ],
        ["regression", "improvement", "equivalent"],
        "undecided",
    )


def seeds_needed(old: npt.ArrayLike, new: npt.ArrayLike, margin: float) -> int | None:
    """Smallest number of seeds a side that would decide, if means and standard deviations stayed as they are.

    Args:
        old: shape (n,).
        new: shape (m,).
        margin: as in `verdicts`.

    Returns:
        At least 2; None if more than MOST_SEEDS.
    """
    a, b, n = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64), np.arange(2, MOST_SEEDS + 1)
    found = Welch(np.full(n.shape, b.mean() - a.mean()), _half_width(a.var(ddof=1), b.var(ddof=1), n, n))
    decided = verdicts(found, margin) != "undecided"
    return int(n[decided.argmax()]) if decided.any() else None


def _half_width(old: npt.ArrayLike, new: npt.ArrayLike, n: npt.ArrayLike, m: npt.ArrayLike) -> Array:
    """Half width from the sample variances and the numbers of seeds."""
    from scipy.special import stdtrit  # pyright: ignore

    n, m = np.asarray(n), np.asarray(m)
    a, b = np.asarray(old) / n, np.asarray(new) / m
    total = a + b
    # As shares, so that tiny variances do not underflow when squared.
    share = np.divide(a, total, out=np.zeros_like(total), where=total > 0.0)
    degrees = 1.0 / (share**2 / (n - 1) + (1.0 - share) ** 2 / (m - 1))
    return np.asarray(stdtrit(degrees, 0.5 + LEVEL / 2) * np.sqrt(total))
