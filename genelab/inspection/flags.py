"""When a column or a group is flagged. Users read the same in docs/guides/inspect.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from genelab.inspection.columns import Column
from genelab.inspection.statistics import ColumnStatistics, Moments
from genelab.records.inspection import Flag

CONSTANT_SPREAD = 1e-6
"""A column whose highest and lowest raw number differ by no more is constant; relative to its magnitude above 1. That
is eight roundings of a float32: what moves less is rounding."""
NOISE_VARIANCE = 0.05
"""Variance beyond that of the noise, as a share of it, up to which a column holds nothing but noise. The variance of a
thousand draws is itself off by 3 %."""
OUTSIDE_SHARE = 0.05
"""Share of the values outside the bounds above which the bounds do not describe the column. One in twenty leaves room
for noise at a bound and for the first steps after a disturbance."""
SATURATED_SHARE = 0.05
"""The same for actions at or beyond their limits: the policy asks for more than there is."""
STANDARD_MEAN = 0.1
"""Largest absolute mean of a column that somebody has standardised already."""
STANDARD_STD = (0.9, 1.1)
"""Standard deviations of such a column. Narrow: few physical quantities have it by chance, and all of a group none."""
FEWEST_STANDARD = 2
"""Columns a group needs for that conclusion. One alone may have it by chance, as standard normal actions do."""
MOST = 0.5
"""Share of the columns that speaks for the whole group."""


@dataclass(frozen=True)
class Unit:
    """Where mean and standard deviation of a network's input should be."""

    mean: float
    """Largest absolute mean."""
    std: tuple[float, float]
    """Smallest and largest standard deviation."""

    def far_mean(self, moments: Moments) -> bool:
        """Whether the mean is far from zero."""
        return abs(moments.mean) > self.mean

    def far_spread(self, moments: Moments) -> bool:
        """Whether the standard deviation is far from one."""
        return not self.std[0] <= moments.std <= self.std[1]


INPUT = Unit(mean=1.0, std=(0.1, 10.0))
"""What a network still copes with. The spread is judged by orders of magnitude, as an input is rightly narrower than
its normaliser says: a trained policy visits less than an exploring one, and fixed bounds are rarely filled."""
DECLARED = Unit(mean=0.5, std=(0.5, 2.0))
"""What data that is said to be normalised keeps to, even if the statistics came from a larger set of the same kind."""


def column_flags(column: Column, found: ColumnStatistics, unit: Unit | None) -> tuple[Flag, ...]:
    """What is wrong with a column. unit: where the input of the network should be; None if that is not known."""
    flags: list[Flag] = ["non_finite"] if found.non_finite else []
    if found.raw is None:
        return tuple(flags)
    constant = is_constant(found.raw)
    if constant:
        flags.append("constant")
    elif _only_noise(column, found.raw):
        flags.append("only_noise")
    if unit is not None and found.seen is not None and not column.is_action:
        if unit.far_mean(found.seen):
            flags.append("mean_far_from_zero")
        # A constant has no spread, and is told as such.
        if unit.far_spread(found.seen) and not constant:
            flags.append("spread_far_from_one")
    if not column.is_action and (found.share_outside or 0.0) > OUTSIDE_SHARE:
        flags.append("outside_bounds")
    if column.is_action and (found.share_saturated or 0.0) > SATURATED_SHARE:
        flags.append("saturated")
    return tuple(flags)


def is_constant(raw: Moments) -> bool:
    """Whether a column never changes, but for rounding."""
    return raw.high - raw.low <= CONSTANT_SPREAD * max(1.0, abs(raw.low), abs(raw.high))


def never_normalised(columns: Sequence[ColumnStatistics]) -> bool:
    """Whether most columns of data that is said to be normalised are not."""
    told = [found.raw for found in columns if found.raw is not None]
    # A constant may be 0, which is what normalising makes of it; anywhere else it was not normalised.
    judged = [raw for raw in told if DECLARED.far_mean(raw) or not is_constant(raw)]
    off = [raw for raw in judged if DECLARED.far_mean(raw) or DECLARED.far_spread(raw)]
    return bool(off) and len(off) >= MOST * len(judged)


def already_normalised(columns: Sequence[ColumnStatistics]) -> bool:
    """Whether the raw numbers of all columns that change are standardised already."""
    changing = _changing(columns)
    standard = [raw for raw, _ in changing if abs(raw.mean) <= STANDARD_MEAN and _within(raw.std, STANDARD_STD)]
    return len(changing) >= FEWEST_STANDARD and len(standard) == len(changing)


def normalised_twice(columns: Sequence[ColumnStatistics]) -> bool:
    """Whether the numbers that enter a normaliser are standardised, and most that leave it no longer are.

    Its statistics then are of other data. A normaliser with the right ones leaves standardised numbers as they are,
    which does no harm.
    """
    seen = [seen for _, seen in _changing(columns) if seen is not None]
    bent = [moments for moments in seen if DECLARED.far_mean(moments) or DECLARED.far_spread(moments)]
    return already_normalised(columns) and bool(seen) and len(bent) >= MOST * len(seen)


def _changing(columns: Sequence[ColumnStatistics]) -> list[tuple[Moments, Moments | None]]:
    return [(found.raw, found.seen) for found in columns if found.raw is not None and not is_constant(found.raw)]


def _only_noise(column: Column, raw: Moments) -> bool:
    if not column.noise:
        return False
    # Uniform within +-h has the variance h^2 / 3. A mean is a signal, but a constant one.
    return raw.std**2 <= (1.0 + NOISE_VARIANCE) * column.noise**2 / 3.0


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
