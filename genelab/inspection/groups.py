"""From statistics to the groups of an inspection."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from genelab.inspection.flags import (
    DECLARED,
    INPUT,
    already_normalised,
    column_flags,
    never_normalised,
    normalised_twice,
)
from genelab.inspection.statistics import ColumnStatistics, GroupStatistics, Moments
from genelab.records.inspection import Flag, InspectedColumn, InspectedGroup, Seen

Normalization = Literal["running", "fixed", "none"]

ACTIONS = "actions"
"""Name of the last group of every inspection."""


def inspect_group(
    name: str,
    statistics: GroupStatistics,
    *,
    normalization: Normalization | None = None,
    seen: Seen | None = None,
    running_eps: float | None = None,
    declared: bool | None = None,
) -> InspectedGroup:
    """Judge a group.

    Args:
        name: of the group.
        statistics: of its columns.
        normalization: normaliser of the network that reads it.
        seen: what the seen numbers are of. With `predicted`, `unnormalised` and `declared` they follow from the raw
            ones; otherwise they were added to the statistics.
        running_eps: what the running normaliser adds to a standard deviation, needed for `predicted`.
        declared: whether a demonstration file says that the numbers are normalised; None for a rollout.
    """
    columns = [_with_seen(found, seen, running_eps) for found in statistics.results()]
    unit = DECLARED if declared else INPUT
    pairs = zip(statistics.columns, columns, strict=True)
    is_action = any(column.is_action for column in statistics.columns)
    return InspectedGroup(
        name=name,
        rows=statistics.rows,
        normalization=normalization,
        seen=seen,
        columns=tuple(_row(c.name, c.bounds, found, column_flags(c, found, unit)) for c, found in pairs),
        flags=() if is_action else _group_flags(columns, normalization, seen, declared),
    )


def _with_seen(found: ColumnStatistics, seen: Seen | None, eps: float | None) -> ColumnStatistics:
    raw = found.raw
    if raw is None or seen in (None, "normaliser"):
        return found
    if seen != "predicted":
        return replace(found, seen=raw)
    # The normaliser would know the mean and standard deviation of these very numbers: (x - mean) / (std + eps).
    factor = 1.0 / (raw.std + (eps or 0.0)) if raw.std + (eps or 0.0) > 0.0 else 0.0
    return replace(found, seen=raw.affine(factor, -raw.mean * factor))


def _group_flags(
    columns: Sequence[ColumnStatistics], normalization: Normalization | None, seen: Seen | None, declared: bool | None
) -> tuple[Flag, ...]:
    if declared is not None:
        if declared:
            return ("never_normalised",) if never_normalised(columns) else ()
        return ("already_normalised",) if already_normalised(columns) else ()
    # Fixed bounds make no claim about the standard deviation; bounds that do not fit show as such.
    if normalization == "running" and seen == "normaliser" and normalised_twice(columns):
        return ("normalised_twice",)
    return ()


def _row(
    name: str, bound: tuple[float, float] | None, found: ColumnStatistics, flags: tuple[Flag, ...]
) -> InspectedColumn:
    value, seen = found.value, found.seen

    def of(moments: Moments | None, attribute: str) -> float | None:
        return getattr(moments, attribute) if moments else None

    return InspectedColumn(
        name=name,
        bound=bound,
        mean=of(value, "mean"),
        std=of(value, "std"),
        min=of(value, "low"),
        max=of(value, "high"),
        share_outside=found.share_outside,
        share_clipped=found.share_clipped,
        share_saturated=found.share_saturated,
        seen_mean=of(seen, "mean"),
        seen_std=of(seen, "std"),
        non_finite=found.non_finite,
        flags=flags,
    )
