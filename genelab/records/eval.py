"""eval.json: what a reloaded checkpoint earns under a protocol, episode by episode, and what doing nothing earns."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from genelab.config.base import Sha256
from genelab.config.snapshot import dump, sha256_json
from genelab.config.task import ProtocolCfg
from genelab.records.base import Record
from genelab.records.run import Attempt, ParentRef, TrainedCheckpoint, TrainTiming
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp, Packages

EpisodeEnd = Literal["terminated", "truncated", "cut_short"]


class RunRef(Record):
    """The training run behind the checkpoint, as run.json has it."""

    task: str
    """Task identifier."""
    task_version: PositiveInt
    """Version of the task under its identifier."""
    variant: str | None = None
    """Variant of its learner, budget and size; null for the task itself."""
    algorithm: str
    """Learning algorithm."""
    trainer: str
    """Library that implements it."""
    seed: NonNegativeInt
    """Training seed."""
    seeds_planned: tuple[NonNegativeInt, ...] = Field(min_length=1)
    """Every seed of the sweep."""
    command: tuple[str, ...]
    """Command line of the training."""
    launched_at: AwareDatetime
    """First launch of the training, UTC."""
    parent: ParentRef | None = None
    """The checkpoint that training started from; null where it started from scratch."""


class ConfigRef(Record):
    """The configuration evaluated."""

    sha256: Sha256
    """Digest of the snapshot {task, env, agent}."""
    source: Literal["run", "registry"]
    """`run`: the snapshot beside the checkpoint. `registry`: the task as installed."""


class Checkpoint(TrainedCheckpoint):
    """The file evaluated. `path` is relative to the run directory."""

    selection: Literal["last", "chosen"]
    """`last`: the policy after the whole budget. `chosen`: another one, named on the command line."""


class Protocol(ProtocolCfg):
    """The protocol as used: the task's, with the command's changes."""

    max_steps: PositiveInt
    """Control steps after which an episode is truncated: the task's limit, or the protocol's cap if shorter."""
    sha256: Sha256
    """Digest of the fields of the protocol, without this one and `max_steps`."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        # The defaults of ProtocolCfg are the task author's; a record states what was used.
        missing = sorted(set(type(self).model_fields) - self.model_fields_set)
        if missing:
            raise ValueError(f"missing {', '.join(missing)}")
        return self


class Episodes(Record):
    """Episodes as columns: entry k of each belongs to episode `index[k]`."""

    index: tuple[NonNegativeInt, ...] = Field(min_length=1)
    """Episode numbers, 0..N-1 in order."""
    return_: tuple[float, ...] = Field(alias="return")
    """Undiscounted reward sum."""
    length: tuple[PositiveInt, ...]
    """Control steps."""
    end: tuple[EpisodeEnd, ...]
    """`terminated` by the task, `truncated` by the time limit, or `cut_short` before it by a term that truncates."""
    success: tuple[bool, ...] | None = None
    """Whether the goal was reached at any step; null where the task has none."""
    success_at_end: tuple[bool, ...] | None = None
    """Whether the goal was reached in the final state; null where the task has none."""

    measures: dict[str, tuple[float, ...]] = {}
    """Mean over the episode's steps of what the task measures, by name; empty where it measures nothing."""

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        columns: dict[str, tuple[object, ...] | None] = {
            **{f"measures.{name}": column for name, column in self.measures.items()},
            "return": self.return_,
            "length": self.length,
            "end": self.end,
            "success": self.success,
            "success_at_end": self.success_at_end,
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self.index):
                raise ValueError(f"{name} has {len(column)} entries for {len(self.index)} episodes")
        if self.index != tuple(range(len(self.index))):
            raise ValueError("index must be 0..N-1 in order")
        return self


class Metrics(Record):
    """Aggregates over episodes. Derived: `genelab check` recomputes them."""

    return_mean: float
    """Mean return."""
    return_std: NonNegativeFloat
    """Population standard deviation of the return over episodes of this checkpoint, as published."""
    length_mean: NonNegativeFloat
    """Mean length, control steps."""
    success_rate: float | None = Field(ge=0.0, le=1.0)
    """Share of all episodes that reached the goal at any step; null where the task has none."""
    success_at_end_rate: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of all episodes that reached the goal in their final state; null where the task has none."""
    measures: dict[str, float] = {}
    """Mean over episodes of what the task measures, by name; empty where it measures nothing."""
    fall_rate: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of all episodes that the task ended; null where it measures nothing."""


class Baseline(Record):
    """What a policy that learnt nothing earns under the same protocol, on the same numbered episodes."""

    episodes: Episodes
    """Per-episode columns."""
    metrics: Metrics
    """Aggregates."""


class Baselines(Record):
    """What the policy is held against."""

    idle: Baseline
    """Zero action at every step."""
    random: Baseline
    """Every action drawn from the standard normal distribution, an untrained policy's."""
    frozen: Baseline | None = None
    """The robot stands as it started, without physics; null where the task is not held against it."""

    @property
    def by_name(self) -> dict[str, Baseline]:
        """Those that there are."""
        found = {"idle": self.idle, "random": self.random, "frozen": self.frozen}
        return {name: baseline for name, baseline in found.items() if baseline is not None}


class AboveIdle(Record):
    """Whether the return is clearly above the idle baseline. The rule stands in docs/reference/statistics.md."""

    passed: bool
    """Verdict: lower_bound > threshold."""
    difference: float
    """return_mean - idle return_mean."""
    lower_bound: float | None
    """One-sided 95 % lower bound of the difference (Welch); null with fewer than two episodes."""
    threshold: NonNegativeFloat
    """What the bound must exceed: 5 % of the larger absolute mean."""


class RoundTrip(Record):
    """The in-memory policy at the end of training against the reloaded file."""

    episodes: PositiveInt
    """Episodes compared: numbers 0..episodes-1 of this record."""
    in_memory_return: tuple[float, ...]
    """Returns of the in-memory policy on them, before it was saved and reloaded."""
    tolerance: NonNegativeFloat
    """Largest absolute difference of a return allowed: 0 on CPU."""
    max_abs_difference: NonNegativeFloat
    """Largest absolute difference found."""
    passed: bool
    """max_abs_difference <= tolerance."""
    differs: tuple[str, ...]
    """What of all that float sums depend on differs from the training, as `name: trained -> evaluated`: processor,
    versions, threads. Returns are comparable bit for bit only where nothing does."""

    @property
    def broken(self) -> bool:
        """Whether the file is not the policy that was in memory: other returns although all sums are the same."""
        return not self.passed and not self.differs


class Timing(Record):
    """Wall-clock and cost."""

    train: TrainTiming | None
    """What training cost, as in run.json; null for a checkpoint of an unfinished training."""
    eval_wall_s: NonNegativeFloat
    """Wall-clock of the evaluated episodes of the policy, without build, compilation and baselines, s."""
    attempts: tuple[Attempt, ...]
    """Processes that trained this seed."""


class RegistryDifference(Record):
    """A value at which the run's snapshot differs from the registry's task."""

    path: str
    """Dotted path in the task."""
    run: JsonValue
    """Value in the run's snapshot."""
    registry: JsonValue
    """Value in the registry when the checkpoint was evaluated."""


class EvalRecord(Record):
    """eval.json. The stamps describe the process that evaluated; those of the training stand in run.json."""

    schema_: Literal["genelab/eval/2"] = Field(alias="schema")
    """Name and version of this schema."""
    run: RunRef
    """Training run."""
    config: ConfigRef
    """Configuration."""
    checkpoint: Checkpoint
    """Policy file."""
    code: tuple[CodeStamp, ...] = Field(min_length=1)
    """Source of genelab and of the task package."""
    packages: Packages
    """Versions by distribution name."""
    hardware: HardwareStamp
    """Machine."""
    backend: BackendStamp
    """Flags in force."""
    protocol: Protocol
    """How the episodes were run."""
    episodes: Episodes
    """The episodes."""
    metrics: Metrics
    """Aggregates over them."""
    baselines: Baselines
    """Idle and random policy under the same protocol."""
    drawn_starts: Baseline | None = None
    """The policy again, in episodes that start where and as those of a training do; null for a task without."""
    above_idle: AboveIdle
    """Whether the return is clearly above idle."""
    round_trip: RoundTrip | None
    """Reload check; null if the training left no in-memory returns (an intermediate checkpoint)."""
    return_ceiling: float | None
    """Largest possible return of an episode; null if unknown."""
    guards: dict[str, NonNegativeInt]
    """Counters of what went wrong in training and was let pass, by name, as in run.json. Empty where nothing is."""
    timing: Timing
    """Wall-clock and cost."""
    differences_from_registry: tuple[RegistryDifference, ...]
    """Where the run's snapshot and the installed task differ; empty if nowhere."""
    finished_at: AwareDatetime
    """End of the evaluation, UTC."""


def protocol_as_used(protocol: ProtocolCfg, max_steps: int) -> Protocol:
    """State a protocol for the record, with its digest. max_steps: control steps until truncation."""
    fields = dump(protocol)
    return Protocol(**fields, max_steps=max_steps, sha256=sha256_json(fields))


def protocol_sha256(protocol: Protocol) -> str:
    """Recompute the digest of a recorded protocol: canonical JSON of the fields of ProtocolCfg, in their order."""
    fields = dump(protocol)
    return sha256_json({name: fields[name] for name in ProtocolCfg.model_fields})
