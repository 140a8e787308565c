"""What `genelab inspect --json` prints, `genelab/inspect/1`."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from genelab.config.base import Sha256
from genelab.records.base import Record

Flag = Literal[
    "non_finite",
    "constant",
    "only_noise",
    "mean_far_from_zero",
    "spread_far_from_one",
    "outside_bounds",
    "saturated",
    "never_normalised",
    "already_normalised",
    "normalised_twice",
]
"""What can be wrong with a column or a group. The rules stand in `genelab.inspection.flags`."""

Seen = Literal["normaliser", "predicted", "unnormalised", "declared", "action"]
"""What `seen_mean` and `seen_std` are of: the output of the network's normaliser; the output that a running normaliser
would have if it knew the statistics of this rollout; the observation itself, as the network has no normaliser; the
values of a file that says they are normalised; or the action as the policy gives it."""


class InspectedColumn(Record):
    """One dimension. Statistics leave non-finite values out; standard deviations are of the population."""

    name: str
    """Term and joint or axis, such as `joint_pos[hinge]`; for an action, the driven joint."""
    bound: tuple[float, float] | None
    """Lowest and highest value expected, in the unit of the value; null if none is known."""
    mean: float | None
    """Mean of the value, noise included, in its own unit; null if no value is finite."""
    std: NonNegativeFloat | None
    """Standard deviation of the value."""
    min: float | None
    """Lowest value."""
    max: float | None
    """Highest value."""
    share_outside: NonNegativeFloat | None
    """Share of the values beyond the bound; null without a bound."""
    share_clipped: NonNegativeFloat | None
    """Share of the values at the limits that they are cut to; null where nothing is cut."""
    share_saturated: NonNegativeFloat | None
    """Share of the actions at or beyond the bound, or at the limits they are cut to; null for observations, and where
    neither is known."""
    seen_mean: float | None
    """Mean of what the network sees; null if unknown."""
    seen_std: NonNegativeFloat | None
    """Standard deviation of what the network sees; null if unknown."""
    non_finite: NonNegativeInt
    """Values that are NaN or infinite."""
    flags: tuple[Flag, ...]
    """What is wrong with the column."""


class InspectedGroup(Record):
    """The columns of one observation group, or those of the actions."""

    name: str
    """Observation group, or `actions`."""
    rows: PositiveInt
    """Values per column."""
    normalization: Literal["running", "fixed", "none"] | None
    """Normaliser of the network that reads the group; null if none is known to read it."""
    seen: Seen | None
    """What `seen_mean` and `seen_std` are of; null if unknown."""
    columns: tuple[InspectedColumn, ...] = Field(min_length=1)
    """One per dimension, in order."""
    flags: tuple[Flag, ...]
    """What is wrong with the group as a whole."""


class Rollout(Record):
    """What was run."""

    policy: Literal["random", "checkpoint"]
    """Standard normal actions, or the mean action of the checkpoint."""
    num_envs: PositiveInt
    """Parallel environments."""
    steps: PositiveInt
    """Control steps of each."""
    seed: NonNegativeInt
    """Seed."""
    device: str
    """Device."""


class InspectedEpisodes(Record):
    """What a demonstration file tells of its episodes."""

    episodes: PositiveInt
    """Finished episodes."""
    return_mean: float
    """Mean return of an episode."""
    success_rate: float | None
    """Share of the episodes that reached the goal at any step; null without a goal."""
    success_at_end_rate: float | None
    """Share that had reached it in the final state; null without a goal."""


class Inspection(Record):
    """The result of an inspection."""

    schema_: Literal["genelab/inspect/1"] = Field(alias="schema")
    """Name and version of this schema."""
    kind: Literal["task", "checkpoint", "demos"]
    """What was inspected."""
    target: str
    """As named on the command line."""
    task: str
    """Task identifier."""
    config_sha256: Sha256
    """Digest of the configuration: of the task, of the checkpoint's run, or as the file states it."""
    normalized: bool | None
    """Whether a demonstration file says that its observations are normalised; null for a rollout."""
    rollout: Rollout | None
    """What was run; null for a demonstration file."""
    collection: InspectedEpisodes | None = None
    """Episodes of a demonstration file; null where there is none, or it does not tell."""
    groups: tuple[InspectedGroup, ...] = Field(min_length=1)
    """Observation groups, then the actions."""

    def flags(self) -> tuple[Flag, ...]:
        """Every flag of every group and column, groups first, repetitions included."""
        of_groups: list[Flag] = [flag for group in self.groups for flag in group.flags]
        return (*of_groups, *(flag for group in self.groups for column in group.columns for flag in column.flags))
