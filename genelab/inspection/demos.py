"""Inspection of a demonstration file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genelab.config.snapshot import one_line
from genelab.inspection.columns import Column, demo_action_columns, observation_columns
from genelab.inspection.groups import ACTIONS, inspect_group
from genelab.inspection.statistics import GroupStatistics
from genelab.records.demos import OBSERVATIONS, read_demos
from genelab.records.files import MAX_LINE
from genelab.records.inspection import InspectedEpisodes, InspectedGroup, Inspection


def inspect_demos(path: Path) -> Inspection:
    """Inspect a demonstration file.

    Raises:
        InputError: as `read_demos`.
    """
    demos = read_demos(path)
    header, made = demos.header, demos.header.collection
    groups: list[InspectedGroup] = []
    for group, rows in header.layout.items():
        columns = observation_columns(rows, normalized=header.normalized)
        statistics = _added_up(columns, demos.arrays[f"{OBSERVATIONS}{group}"])
        # Raw data meets a normaliser that this file does not know.
        seen = "declared" if header.normalized else None
        groups.append(inspect_group(group, statistics, seen=seen, declared=header.normalized))
    taken = demos.arrays["actions"]
    actions = _added_up(demo_action_columns(header.actions, taken.shape[1]), taken)
    return Inspection(
        schema="genelab/inspect/1",
        kind="demos",
        target=str(path),
        task=header.task,
        config_sha256=header.config_sha256,
        normalized=header.normalized,
        rollout=None,
        collection=made and InspectedEpisodes(**{n: getattr(made, n) for n in InspectedEpisodes.model_fields}),
        groups=(*groups, inspect_group(ACTIONS, actions)),
    )


def _added_up(columns: Sequence[Column], rows: NDArray[np.float32]) -> GroupStatistics:
    # Names of terms, joints and actions are the file's own words.
    statistics = GroupStatistics([replace(column, name=one_line(column.name, MAX_LINE)) for column in columns])
    statistics.add(rows)
    return statistics
