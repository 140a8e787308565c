"""entry.json: a published set of seeds. All but `EntryHeader` follows from the files beside it."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
)

from genelab.config.base import Sha256
from genelab.config.overrides import Override
from genelab.config.scene import EngineName
from genelab.records.base import Record
from genelab.records.eval import Metrics, Protocol
from genelab.records.run import CollectedDemos
from genelab.records.stamps import CodeStamp, Commit, HardwareStamp, Packages

EntryId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""Name of an entry and of its directory."""


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path or not pure.parts:
        raise ValueError("must be a plain path inside the entry")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]
"""A path below the entry, with forward slashes."""


class FileRef(Record):
    """A file of the entry."""

    path: RelativePath
    """Path in the entry."""
    sha256: Sha256
    """Digest of the file."""
    bytes: NonNegativeInt
    """Size of the file."""


class FailedSeed(Record):
    """A planned seed without a result."""

    seed: NonNegativeInt
    """Training seed."""
    state: str
    """How far it got, as in sweep.json."""
    reason: str | None
    """Why; null if not known."""


class Seeds(Record):
    """What became of every planned seed."""

    planned: tuple[NonNegativeInt, ...] = Field(min_length=1)
    """Planned seeds, in order."""
    finished: tuple[NonNegativeInt, ...]
    """Seeds with a checked record."""
    failed: tuple[FailedSeed, ...]
    """The others."""


class CurveMetrics(Record):
    """Statistics of a learning curve in its last stage; null if undefined. Formulas: docs/reference/statistics.md."""

    convergence_iteration: NonNegativeInt | None
    """Iteration, of all stages, from which the trailing mean stays within 5 % of the gain."""
    final_average: float | None
    """Time-weighted mean of the training return over the last 100 iterations."""
    strength: float | None
    """Time-weighted mean over the budget of the training return above idle."""
    stability: float | None
    """1 - largest fall / range of the curve."""


class SecondOpinion(Record):
    """What the exported policy of a seed earns in another simulator, under the same protocol."""

    engine: EngineName
    """The simulator."""
    return_mean: float
    """Mean return."""
    idle_return_mean: float
    """What doing nothing earns there."""
    success_rate: float | None = Field(ge=0.0, le=1.0)
    """Share of the episodes that reached the goal; null where the task has none."""
    kept_return: float | None
    """Return above idle, as a share of that in the first simulator; null where there was none."""
    lost: tuple[str, ...]
    """What it does not keep at least 80 % of, in words."""


class SeedResult(Record):
    """One row of the table."""

    seed: NonNegativeInt
    """Training seed."""
    checkpoint_sha256: Sha256
    """Digest of the policy file."""
    weights_sha256: Sha256
    """Digest of its tensors."""
    metrics: Metrics
    """Evaluation over episodes."""
    idle_return_mean: float
    """What doing nothing earns under the same protocol."""
    idle_success_rate: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of the episodes in which doing nothing reaches the goal; null where the task has none."""
    success_above_idle: bool | None = None
    """Whether the success rate is clearly above idle's; null where the task has no goal."""
    no_better_than_idle: tuple[str, ...] | None = None
    """Measured errors that are not clearly below those of doing nothing; null where none is measured."""
    no_better_than_frozen: tuple[str, ...] | None = None
    """Measured errors that are not clearly below those of the robot that stands as it started; null where the task is
    not held against it."""
    random_return_mean: float
    """What random actions earn under the same protocol."""
    above_idle: bool
    """Whether the return is clearly above idle."""
    sim2sim: SecondOpinion | None = None
    """What it earns in another simulator; null for a task that is judged in one alone."""
    curve: CurveMetrics
    """Statistics of the learning curve."""
    machine_hash: str
    """Machine that trained it."""
    train_wall_s: NonNegativeFloat
    """Wall-clock of the training, s."""
    eval_wall_s: NonNegativeFloat
    """Wall-clock of the evaluation, s."""


class Aggregate(Record):
    """A metric over seeds."""

    metric: Literal["return_mean"]
    """What is aggregated."""
    n_seeds: PositiveInt
    """Seeds."""
    mean: float
    """Mean over seeds."""
    std: NonNegativeFloat | None
    """Sample standard deviation over seeds (ddof = 1); null for one seed."""
    ci95: tuple[float, float] | None
    """95 % interval of the mean; null for one seed."""
    ci_method: Literal["student-t"] = "student-t"
    """How the interval is made."""
    min: float
    """Worst seed."""
    max: float
    """Best seed."""
    consistency: float | None
    """1 - 2 s / mean of the strengths; null where undefined."""
    success_wilson95: tuple[float, float] | None
    """95 % Wilson interval of the success rate over all episodes of all seeds; null where the task has no goal."""
    success_at_end_wilson95: tuple[float, float] | None = None
    """The same for the rate of success in the final state; null where the task has no goal."""


class Cost(Record):
    """What the entry cost."""

    train_wall_s: NonNegativeFloat
    """Wall-clock of training, summed over finished seeds, s. Seeds that ran at the same time count each."""
    env_steps_per_seed: NonNegativeInt
    """Control steps of one seed."""
    steps_per_s_median: NonNegativeFloat
    """Median over seeds of the training throughput."""


class Artifact(Record):
    """Where a copy of the entry is hosted."""

    repo_type: Literal["dataset", "model"]
    """Kind of repository."""
    repo_id: str
    """Repository."""
    revision: Commit
    """Commit."""
    path: RelativePath
    """Path in it."""


class EntryHeader(Record):
    """What the publisher says. The rest of an entry is derived."""

    entry_id: EntryId
    """Name of the entry."""
    supersedes: EntryId | None
    """Newest entry of the task when this one was added; null for the first."""
    reason: str | None
    """Why it was added; null if not said."""
    artifact: Artifact | None
    """Hosted copy; null if none."""
    created_at: AwareDatetime
    """When it was added, UTC."""
    publisher: str | None
    """Who added it; null if not said."""


class EntryRecord(EntryHeader):
    """entry.json."""

    schema_: Literal["genelab/entry/2"] = Field(alias="schema")
    """Name and version of this schema."""
    status: Literal["reference", "preview"]
    """`reference`: all planned seeds, the registered task unchanged, its own protocol. `preview`: anything less."""
    task: str
    """Task identifier."""
    task_version: PositiveInt
    """Version of the task under its identifier."""
    variant: str | None = None
    """Variant of the task's learner, budget and size; null for the task itself."""
    summary: str
    """One line on the task."""
    published_as: str | None
    """Task of the published tables whose rows stand beside; null for none."""
    return_ceiling: float | None
    """Largest possible return of an episode; null if unknown."""
    algorithm: str
    """Learning algorithm."""
    trainer: str
    """Library that implements it."""
    protocol: Protocol
    """Evaluation protocol of every seed."""
    config_sha256: Sha256
    """Digest of the snapshot that every seed shares."""
    overrides: tuple[Override, ...]
    """What the command line changed in the registered task."""
    demonstrations: CollectedDemos | None
    """How the demonstrations were collected that the seeds were filled with; null without demonstrations."""
    code: tuple[CodeStamp, ...] = Field(min_length=1)
    """Every distinct source behind the seeds, of training and evaluation."""
    packages: tuple[Packages, ...] = Field(min_length=1)
    """Every distinct set of versions behind the seeds."""
    machines: tuple[HardwareStamp, ...] = Field(min_length=1)
    """Every distinct machine behind the seeds."""
    seeds: Seeds
    """What became of every planned seed."""
    runs: tuple[SeedResult, ...] = Field(min_length=1)
    """Finished seeds."""
    aggregate: Aggregate | None
    """Over seeds; null unless every planned seed finished: never an average of the survivors."""
    cost: Cost
    """What it cost."""
    reproduce: str
    """Command that repeats it."""
    files: tuple[FileRef, ...] = Field(min_length=1)
    """Every file of the entry but entry.json, sorted by path."""
