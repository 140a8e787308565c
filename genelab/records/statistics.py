"""Statistics over episodes and over seeds. Formulas: docs/reference/statistics.md."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from genelab.records.eval import AboveIdle

IDLE_MARGIN = 0.05
"""Share of the larger absolute mean by which a return must exceed idle to count as clearly above it."""
LEVEL = 0.95
"""Confidence level of every interval and bound."""


class Sample(NamedTuple):
    """What a comparison of means needs of a set of episodes."""

    n: int
    """Episodes."""
    mean: float
    """Mean."""
    population_std: float
    """Population standard deviation (ddof = 0)."""


def mean(values: Sequence[float]) -> float:
    """Mean, correctly rounded whatever the order. Raises ValueError if empty or non-finite."""
    return math.fsum(_finite(values)) / len(values)


def population_std(values: Sequence[float]) -> float:
    """Standard deviation over n, as in the published tables. Raises ValueError if empty or non-finite."""
    center = mean(values)
    return math.sqrt(math.fsum((value - center) ** 2 for value in values) / len(values))


def sample_std(values: Sequence[float]) -> float | None:
    """Standard deviation over n - 1; None for n < 2. Raises ValueError if empty or non-finite."""
    n, spread = len(values), population_std(values)
    return spread * math.sqrt(n / (n - 1)) if n > 1 else None


def seed_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % Student-t interval of the mean over seeds: mean ± t(0.975, n - 1) s / sqrt(n); None for n < 2.

    A percentile bootstrap under-covers at n = 3..5, which is why there is none.

    Raises:
        ValueError: if there is no value or a non-finite one.
    """
    n, center, std = len(values), mean(values), sample_std(values)
    if std is None:
        return None
    half = _t_quantile(n - 1, 0.5 + LEVEL / 2) * std / math.sqrt(n)
    return center - half, center + half


def seed_bounds(values: Sequence[float]) -> tuple[float, float] | None:
    """One-sided 95 % Student-t bounds of the mean over seeds, the lower and the upper one; None for n < 2.

    Raises:
        ValueError: as `seed_interval`.
    """
    n, center, std = len(values), mean(values), sample_std(values)
    if std is None:
        return None
    half = _t_quantile(n - 1, LEVEL) * std / math.sqrt(n)
    return center - half, center + half


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a rate (Wilson 1927, without continuity correction).

    Raises:
        ValueError: unless 0 <= successes <= n and n >= 1.
    """
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"no rate: {successes} successes of {n}")
    z2 = NormalDist().inv_cdf(0.5 + LEVEL / 2) ** 2
    center = (successes + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2)
    # The ends are exact at 0 and n; rounding must not leave [0, 1].
    return (max(0.0, center - half) if successes else 0.0, min(1.0, center + half) if successes < n else 1.0)


def newcombe(old: tuple[int, int], new: tuple[int, int]) -> tuple[float, float]:
    """95 % interval of the difference of two rates, new less old, each as (successes, n) (Newcombe 1998, method 10).

    Raises:
        ValueError: as `wilson`.
    """
    (low, high), (low_new, high_new) = wilson(*old), wilson(*new)
    rate, rate_new = old[0] / old[1], new[0] / new[1]
    below, above = math.hypot(rate_new - low_new, high - rate), math.hypot(high_new - rate_new, rate - low)
    return rate_new - rate - below, rate_new - rate + above


def sample(returns: Sequence[float]) -> Sample:
    """Summarise the returns of episodes. Raises ValueError if empty or non-finite."""
    return Sample(len(returns), mean(returns), population_std(returns))


def above_idle(returns: Sequence[float], idle_returns: Sequence[float]) -> AboveIdle:
    """Whether returns are clearly above those of an idle policy: see `excess`."""
    return excess(sample(returns), sample(idle_returns))


def excess(policy: Sample, idle: Sample) -> AboveIdle:
    """Whether the Welch 95 % one-sided lower bound of the difference exceeds 5 % of the larger absolute mean.

    The margin is what counts: 39.994 against an idle 39.991 is significant, and worth nothing.
    """
    difference = policy.mean - idle.mean
    threshold = IDLE_MARGIN * max(abs(policy.mean), abs(idle.mean))
    if min(policy.n, idle.n) < 2:
        return AboveIdle(passed=False, difference=difference, lower_bound=None, threshold=threshold)
    # Squared standard errors of the two means; population variance / (n - 1) = sample variance / n.
    a, b = (part.population_std**2 / (part.n - 1) for part in (policy, idle))
    bound = difference
    if a + b > 0.0:
        # As shares, so that tiny variances do not underflow when squared.
        share = a / (a + b)
        degrees = 1.0 / (share**2 / (policy.n - 1) + (1.0 - share) ** 2 / (idle.n - 1))
        bound -= _t_quantile(degrees, LEVEL) * math.sqrt(a + b)
    return AboveIdle(passed=bound > threshold, difference=difference, lower_bound=bound, threshold=threshold)


def _t_quantile(degrees: float, probability: float) -> float:
    from scipy.special import stdtrit  # pyright: ignore

    return float(stdtrit(degrees, probability))


def _finite(values: Sequence[float]) -> Sequence[float]:
    if not values:
        raise ValueError("no values")
    bad = [value for value in values if not math.isfinite(value)]
    if bad:
        raise ValueError(f"non-finite value {bad[0]}")
    return values
