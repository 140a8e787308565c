"""Statistics per column, added up batch by batch in double precision. Non-finite numbers are counted and left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genelab.inspection.columns import Column
from genelab.records.demos import Bounds

Array = NDArray[np.float64]

TOLERANCE = 1e-6
"""How far a value may be beyond a limit and still count as at it, in widths between the limits. Values are float32, and
have been scaled there and back."""


@dataclass(frozen=True)
class Moments:
    """Of one column over its finite numbers. The standard deviation is that of the population."""

    mean: float
    std: float
    low: float
    high: float

    def affine(self, factor: float, shift: float) -> "Moments":
        """The moments of shift + factor x number."""
        ends = sorted((shift + factor * self.low, shift + factor * self.high))
        return Moments(shift + factor * self.mean, abs(factor) * self.std, *ends)


@dataclass(frozen=True)
class ColumnStatistics:
    """One column."""

    raw: Moments | None
    """Of the raw numbers; None if none is finite."""
    value: Moments | None
    """Of the values, in their own unit."""
    seen: Moments | None
    """Of what the network sees; None if it was not given."""
    non_finite: int
    """Raw numbers that are NaN or infinite."""
    share_outside: float | None
    """Share of the finite values beyond the bounds; None without bounds."""
    share_clipped: float | None
    """Share of the finite values at or beyond the limits they are cut to; None without such limits."""
    share_saturated: float | None
    """Share of the finite actions at or beyond the bounds or those limits; None without either, or for observations."""


class RunningMoments:
    """Count, mean, variance and range of every column."""

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.count = np.zeros(width, dtype=np.int64)
        self._mean, self._squares = np.zeros(width), np.zeros(width)
        self._low, self._high = np.full(width, np.inf), np.full(width, -np.inf)

    def add(self, numbers: Array) -> None:
        """Add rows. Shape: (rows, width)."""
        finite = np.isfinite(numbers)
        count = finite.sum(axis=0)
        self.rows += len(numbers)
        mean = np.where(finite, numbers, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(finite, numbers - mean, 0.0) ** 2).sum(axis=0)
        # Chan, Golub and LeVeque: two batches merge without the cancellation of a plain sum of squares.
        total = np.maximum(self.count + count, 1)
        delta = mean - self._mean
        self._squares += squares + delta**2 * self.count * count / total
        self._mean += delta * count / total
        self.count += count
        self._low = np.minimum(self._low, np.where(finite, numbers, np.inf).min(axis=0, initial=np.inf))
        self._high = np.maximum(self._high, np.where(finite, numbers, -np.inf).max(axis=0, initial=-np.inf))

    def of(self, column: int) -> Moments | None:
        """The moments of a column; None if no number was finite."""
        count = int(self.count[column])
        if count == 0:
            return None
        std = float(np.sqrt(self._squares[column] / count))
        return Moments(float(self._mean[column]), std, float(self._low[column]), float(self._high[column]))


class GroupStatistics:
    """Adds up the columns of one group."""

    def __init__(self, columns: Sequence[Column]) -> None:
        width = len(columns)
        self.columns = tuple(columns)
        self._factor = np.array([column.factor for column in columns])
        self._shift = np.array([column.shift for column in columns])
        self._bounds = _Limits([column.bounds for column in columns])
        self._clip = _Limits([column.clip for column in columns])
        self._raw, self._seen = RunningMoments(width), RunningMoments(width)
        self._outside = np.zeros(width, dtype=np.int64)
        self._clipped, self._saturated = self._outside.copy(), self._outside.copy()

    @property
    def rows(self) -> int:
        """Rows added."""
        return self._raw.rows

    def add(self, raw: NDArray[np.floating], seen: NDArray[np.floating] | None = None) -> None:
        """Add rows, and what a network sees of them. Shapes: (rows, columns)."""
        exact = raw.astype(np.float64)
        self._raw.add(exact)
        if seen is not None:
            self._seen.add(seen.astype(np.float64))
        values = np.where(np.isfinite(exact), self._shift + self._factor * exact, np.nan)
        at_clip = self._clip.reached(values)
        self._outside += self._bounds.beyond(values).sum(axis=0)
        self._clipped += at_clip.sum(axis=0)
        self._saturated += (at_clip | self._bounds.reached(values)).sum(axis=0)

    def results(self) -> list[ColumnStatistics]:
        """One per column."""
        return [self._result(k, column) for k, column in enumerate(self.columns)]

    def _result(self, k: int, column: Column) -> ColumnStatistics:
        raw, count = self._raw.of(k), int(self._raw.count[k])

        def share(found: NDArray[np.int64], known: bool) -> float | None:
            return int(found[k]) / count if known and count else None

        bounded, cut = column.bounds is not None, column.clip is not None
        return ColumnStatistics(
            raw=raw,
            value=raw.affine(column.factor, column.shift) if raw else None,
            seen=self._seen.of(k),
            non_finite=self.rows - count,
            share_outside=share(self._outside, bounded),
            share_clipped=share(self._clipped, cut),
            share_saturated=share(self._saturated, column.is_action and (bounded or cut)),
        )


class _Limits:
    """Limits of every column; a column without limits reaches none."""

    def __init__(self, pairs: Sequence[Bounds | None]) -> None:
        known = [pair or (-np.inf, np.inf) for pair in pairs]
        self._low, self._high = np.array(known, dtype=np.float64).reshape(-1, 2).T
        slack = np.array([TOLERANCE * (high - low) if np.isfinite(high - low) else 0.0 for low, high in known])
        self._slack = slack

    def beyond(self, values: Array) -> NDArray[np.bool_]:
        """Whether a value is beyond its limits. Shapes: (rows, columns) -> (rows, columns)."""
        return (values < self._low - self._slack) | (values > self._high + self._slack)

    def reached(self, values: Array) -> NDArray[np.bool_]:
        """Whether a value is at its limits or beyond. Shapes: (rows, columns) -> (rows, columns)."""
        return (values <= self._low + self._slack) | (values >= self._high - self._slack)
