"""What `genelab compare --json` prints: two sets of seeds, how far they differ, and the verdict."""

from typing import Literal

from pydantic import Field, JsonValue, NonNegativeFloat, NonNegativeInt, PositiveInt

from genelab.config.base import Sha256
from genelab.records.base import Record

Verdict = Literal["not_comparable", "identical", "regression", "improvement", "equivalent", "undecided"]
SideKind = Literal["evaluation", "run", "sweep", "entry"]


class ComparedSide(Record):
    """One of the two sets."""

    given: str
    """As it was named."""
    kind: SideKind
    """What was found there: an eval.json, the directory of a seed, a sweep or an entry."""
    task: str | None
    """Task identifier; null if nothing could be read."""
    task_version: PositiveInt | None
    """Version of the task under its identifier."""
    variant: str | None
    """Variant of the task; null for the task itself."""
    config_sha256: Sha256 | None
    """Digest of the configuration."""
    seeds: tuple[NonNegativeInt, ...]
    """Seeds with a result."""
    env_steps: NonNegativeInt | None
    """Control steps of one training; null if not known."""


class SideValues(Record):
    """One metric of one set."""

    values: tuple[float, ...] = Field(min_length=1)
    """Mean over the episodes of each seed, in the order of the side's seeds."""
    idle: tuple[float, ...] = Field(min_length=1)
    """The same of doing nothing."""
    mean: float
    """Mean over seeds."""
    std: NonNegativeFloat | None
    """Sample standard deviation over seeds (ddof = 1); null for one seed."""
    ci95: tuple[float, float] | None
    """95 % Student-t interval of the mean over seeds; null for one seed."""


class ComparedMetric(Record):
    """One metric on both sides."""

    name: str
    """A field of the metrics of eval.json, or a measure of the task."""
    unit: str | None
    """Unit of a measure; null for the others."""
    better: Literal["higher", "lower"] | None
    """Which way is better; null for a measure that is shown and not judged."""
    a: SideValues
    """Of A."""
    b: SideValues
    """Of B."""
    difference: float
    """Mean of B less mean of A, with its sign."""
    ci95: tuple[float, float] | None
    """95 % interval of the difference; null if there is none."""
    ci_method: Literal["welch", "newcombe"] | None
    """`welch` over seeds; `newcombe` over the episodes of one checkpoint on each side, for a rate of success."""
    margin: NonNegativeFloat
    """Difference that counts."""
    verdict: Verdict | None
    """By the rule; null if it was not judged."""
    smallest_shown: NonNegativeFloat | None
    """Smallest difference that so many seeds of such a spread show; null unless undecided."""
    seeds_needed: int | None
    """Seeds a side that would decide, with means and spreads as they are; null unless undecided, or beyond 1000."""


class EqualEpisodes(Record):
    """How many episodes of the seeds that both sides have are equal to the last bit."""

    equal: NonNegativeInt
    """Equal in everything that was recorded of them."""
    compared: PositiveInt
    """All."""
    largest_difference: NonNegativeFloat
    """Largest absolute difference of a return."""


class FieldDifference(Record):
    """A value in which the sides differ."""

    path: str
    """Dotted path."""
    a: JsonValue
    """Value in A; null if it has none."""
    b: JsonValue
    """Value in B; null if it has none."""


class CompareRecord(Record):
    """The comparison. A is the old side, B the new one."""

    schema_: Literal["genelab/compare/1"] = Field(alias="schema")
    """Name and version of this schema."""
    verdict: Verdict
    """On the metric judged."""
    metric: str
    """The metric judged."""
    margin_share: NonNegativeFloat
    """Share of the larger distance to doing nothing that makes the margin."""
    reasons: tuple[str, ...]
    """Why the sides are not comparable; empty if they are."""
    across: tuple[str, ...]
    """What was allowed to differ by --across, and does."""
    unreliable: tuple[str, ...]
    """Seeds of B that are not clearly above doing nothing, where all of A are."""
    notes: tuple[str, ...]
    """What else a reader should know."""
    a: ComparedSide
    """The old side."""
    b: ComparedSide
    """The new side."""
    episodes: EqualEpisodes | None
    """Null if no seed is on both sides."""
    metrics: tuple[ComparedMetric, ...]
    """Every metric that both sides have."""
    config: tuple[FieldDifference, ...]
    """Where the configurations differ."""
    stamps: tuple[FieldDifference, ...]
    """Where code, packages, machines and flags differ."""

    def gate(self, *, strict: bool) -> bool:
        """Whether a gate lets B pass. strict: undecided does not."""
        stops = ("regression", "not_comparable", *(["undecided"] if strict else []))
        return self.verdict not in stops and not self.unreliable
