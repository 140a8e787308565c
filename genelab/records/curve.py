"""Statistics of a learning curve, independent of how often it was logged. Formulas: docs/reference/statistics.md."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from genelab.records.statistics import mean, sample_std

CONVERGENCE_WINDOW = 10
"""Iterations of the trailing mean."""
CONVERGENCE_SHARE = 0.95
"""Share of the gain from which the curve must not fall back."""
FINAL_WINDOW = 100
"""Iterations of the final moving average."""


class Curve(NamedTuple):
    """Mean training return over iterations, from the first finished episode on."""

    budget: int
    """Iterations planned."""
    iterations: tuple[int, ...]
    """Iteration of each row, from 0, rising; rows without a finished episode are left out."""
    returns: tuple[float, ...]
    """`episode_return` of each row."""

    def since(self, first: int) -> "Curve":
        """The curve from an iteration on, which becomes iteration 0."""
        rows = [(i - first, value) for i, value in zip(self.iterations, self.returns, strict=True) if i >= first]
        return Curve(self.budget - first, tuple(i for i, _ in rows), tuple(value for _, value in rows))


def curve_of(rows: Sequence[tuple[int, float | None]], budget: int) -> Curve:
    """Build a curve from (iteration, episode_return or None) rows.

    Raises:
        ValueError: if iterations do not rise, leave 0..budget-1, or a return is not finite.
    """
    before = -1
    for iteration, value in rows:
        if not before < iteration < budget:
            raise ValueError(f"iteration {iteration} after {before} within a budget of {budget}")
        if value is not None and not math.isfinite(value):
            raise ValueError(f"iteration {iteration}: episode_return is {value}")
        before = iteration
    known = [(iteration, value) for iteration, value in rows if value is not None]
    return Curve(budget, tuple(iteration for iteration, _ in known), tuple(value for _, value in known))


def convergence_iteration(curve: Curve) -> int | None:
    """First iteration from which the trailing mean stays within 5 % of the gain: see docs/reference/statistics.md.

    None if the curve does not reach the last tenth of the budget, or ends no higher than it began.
    """
    end = [value for i, value in zip(curve.iterations, curve.returns, strict=True) if i >= 9 * curve.budget // 10]
    if not end:
        return None
    trailing = _trailing_means(curve)
    first, final = trailing[0], mean(end)
    if final <= first:
        return None
    level = first + CONVERGENCE_SHARE * (final - first)
    below = [k for k, value in enumerate(trailing) if value < level]
    # `first` itself is below the level, so there is a last row below it.
    return curve.iterations[below[-1] + 1] if below[-1] + 1 < len(trailing) else None


def final_average(curve: Curve) -> float | None:
    """Time-weighted mean over the last 100 iterations, or the whole budget if shorter. None if unfinished."""
    return _average(curve, max(0, curve.budget - FINAL_WINDOW))


def strength(curve: Curve, idle_return: float) -> float | None:
    """Time-weighted mean over the budget of the return above idle. None if unfinished."""
    average = _average(curve, 0)
    return None if average is None else average - idle_return


def stability(curve: Curve) -> float | None:
    """1 - (largest fall after a peak) / (highest - lowest): 1 never gives anything back, 0 gives back everything.

    None if unfinished or constant.
    """
    if not _finished(curve) or max(curve.returns) == min(curve.returns):
        return None
    peak, fall = curve.returns[0], 0.0
    for value in curve.returns:
        peak = max(peak, value)
        fall = max(fall, peak - value)
    return 1.0 - fall / (max(curve.returns) - min(curve.returns))


def consistency(strengths: Sequence[float]) -> float | None:
    """1 - 2 s / mean of the seeds' strengths (ddof = 1): 1 if all seeds are equal.

    None for fewer than two seeds, or where the mean strength is not positive: seeds that do no better than idle have no
    consistency to speak of.
    """
    spread = sample_std(strengths) if strengths else None
    if spread is None or mean(strengths) <= 0.0:
        return None
    return 1.0 - 2.0 * spread / mean(strengths)


def _finished(curve: Curve) -> bool:
    return bool(curve.iterations) and curve.iterations[-1] == curve.budget - 1


def _trailing_means(curve: Curve) -> list[float]:
    """Mean of the rows in the 10 iterations up to each row."""
    means: list[float] = []
    start = 0
    for k, iteration in enumerate(curve.iterations):
        while curve.iterations[start] <= iteration - CONVERGENCE_WINDOW:
            start += 1
        means.append(mean(curve.returns[start : k + 1]))
    return means


def _average(curve: Curve, begin: int) -> float | None:
    """Mean of the curve over [begin, budget] iterations done, straight between rows, flat before the first."""
    if not _finished(curve):
        return None
    # A row stands at the number of iterations done, so the last one stands at the budget.
    points = [(0.0, curve.returns[0])] + [(i + 1.0, r) for i, r in zip(curve.iterations, curve.returns, strict=True)]
    areas: list[float] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        if x1 <= begin:
            continue
        left = max(x0, float(begin))
        y_left = y0 + (y1 - y0) * (left - x0) / (x1 - x0)
        areas.append((x1 - left) * (y_left + y1) / 2.0)
    return math.fsum(areas) / (curve.budget - begin)
