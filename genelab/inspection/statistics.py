"""Statistics per column, in double precision. Non-finite numbers are counted and left out."""

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


class GroupStatistics:
    """Keeps the numbers of the columns of one group."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._raw: list[NDArray[np.floating]] = []
        self._seen: list[NDArray[np.floating]] = []

    @property
    def rows(self) -> int:
        """Rows added."""
        return sum(map(len, self._raw))

    def add(self, raw: NDArray[np.floating], seen: NDArray[np.floating] | None = None) -> None:
        """Add rows, and what a network sees of them. Shapes: (rows, columns)."""
        # Copies: the environment may write into what it handed out.
        self._raw.append(raw.copy())
        if seen is not None:
            self._seen.append(seen.copy())

    def results(self) -> list[ColumnStatistics]:
        """One per column."""
        raw, seen = np.concatenate(self._raw), np.concatenate(self._seen) if self._seen else None
        return [
            _statistics(column, raw[:, k], None if seen is None else seen[:, k])
            for k, column in enumerate(self.columns)
        ]


def _statistics(column: Column, raw: NDArray[np.floating], seen: NDArray[np.floating] | None) -> ColumnStatistics:
    exact = _finite(raw)
    values, moments = column.shift + column.factor * exact, _moments(exact)
    at_limit = [_reached(values, limits) for limits in (column.bounds, column.clip) if limits is not None]
    return ColumnStatistics(
        raw=moments,
        value=moments.affine(column.factor, column.shift) if moments else None,
        seen=None if seen is None else _moments(_finite(seen)),
        non_finite=len(raw) - len(exact),
        share_outside=None if column.bounds is None else _share(_beyond(values, column.bounds)),
        share_clipped=None if column.clip is None else _share(_reached(values, column.clip)),
        share_saturated=_share(np.any(at_limit, axis=0)) if column.is_action and at_limit else None,
    )


def _finite(numbers: NDArray[np.floating]) -> Array:
    return numbers[np.isfinite(numbers)].astype(np.float64)


def _moments(numbers: Array) -> Moments | None:
    if not numbers.size:
        return None
    return Moments(float(numbers.mean()), float(numbers.std()), float(numbers.min()), float(numbers.max()))


def _share(found: NDArray[np.bool_]) -> float | None:
    return float(found.mean()) if found.size else None


def _beyond(values: Array, limits: Bounds) -> NDArray[np.bool_]:
    """Whether a value is beyond limits."""
    slack = TOLERANCE * (limits[1] - limits[0])
    return (values < limits[0] - slack) | (values > limits[1] + slack)


def _reached(values: Array, limits: Bounds) -> NDArray[np.bool_]:
    """Whether a value is at limits or beyond."""
    slack = TOLERANCE * (limits[1] - limits[0])
    return (values <= limits[0] + slack) | (values >= limits[1] - slack)
