"""run.json: how one seed was trained, on what, and how far it got."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from genelab.config.base import Sha256
from genelab.config.overrides import Override
from genelab.config.run import ExecutionCfg
from genelab.records.base import Record
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp, Packages

RunStatus = Literal["planned", "training", "trained", "evaluating", "finished", "failed", "interrupted"]
AttemptEnd = Literal["running", "finished", "killed", "crashed", "interrupted"]


class ExecutionRecord(Record):
    """What the process was asked to run on, and what it got."""

    requested: ExecutionCfg
    """Options of the command."""
    resolved_device: str | None = None
    """Device in use, `cpu` or `cuda:<index>`; null until the worker has started."""


class Failure(Record):
    """Why a run failed."""

    reason: str
    """Short name of the cause."""
    detail: str
    """One line on what happened."""


class Attempt(Record):
    """One process that trained this seed."""

    started_at: AwareDatetime
    """Start, UTC."""
    ended_at: AwareDatetime | None = None
    """End, UTC; null while running and after a kill that left no trace."""
    from_iteration: NonNegativeInt
    """Iterations done before this attempt."""
    to_iteration: NonNegativeInt | None = None
    """Iterations done and saved by it, as of its last save; null before the first one."""
    end: AttemptEnd = "running"
    """How it ended."""
    wall_s: NonNegativeFloat | None = None
    """Wall-clock of its training loop up to `to_iteration`, s; null before the first save."""
    machine_hash: str
    """Machine it ran on, as in the hardware stamp."""


class TrainTiming(Record):
    """What the training cost."""

    train_wall_s: NonNegativeFloat
    """Wall-clock of the training loop, summed over attempts, without work that a kill threw away, s."""
    compile_s: NonNegativeFloat | None
    """Wall-clock of scene build and kernel compilation, not in `train_wall_s`, s; null if not measured."""
    env_steps: NonNegativeInt
    """Control steps over all environments."""
    iterations: NonNegativeInt
    """Learning iterations."""
    steps_per_s: NonNegativeFloat
    """env_steps / train_wall_s."""
    peak_memory_bytes: PositiveInt | None
    """Largest resident memory of the process, bytes; null if not measured."""


class TrainedCheckpoint(Record):
    """The policy file that training left."""

    path: str
    """Path relative to the run directory."""
    sha256: Sha256
    """Digest of the file."""
    bytes: PositiveInt
    """Size of the file."""
    weights_sha256: Sha256
    """Digest over the sorted tensors: equal weights have it equal in files of any name."""
    iteration: NonNegativeInt
    """Learning iterations behind the weights."""


class ParentRef(Record):
    """The checkpoint that a training started from."""

    task: str
    """Task that it was trained on."""
    task_version: PositiveInt
    """Version of that task."""
    seed: NonNegativeInt
    """Its training seed."""
    config_sha256: Sha256
    """Digest of its configuration."""
    path: str
    """File, relative to the run directory."""
    sha256: Sha256
    """Digest of the file."""
    weights_sha256: Sha256
    """Digest of its tensors."""
    iteration: NonNegativeInt
    """Learning iterations behind it."""
    loaded: tuple[str, ...]
    """What is taken from it."""
    fresh: tuple[str, ...]
    """What starts anew."""
    variant: str | None = Field(default=None, exclude_if=lambda name: name is None)
    """Variant of the task that it was trained on."""
    overrides: tuple[Override, ...] = Field(default=(), exclude_if=lambda changes: not changes)
    """What the command line had changed in that task."""
    foreign: bool = Field(default=False, exclude_if=lambda foreign: not foreign)
    """Whether that training started from something else than its task says."""
    parent: "ParentRef | None" = Field(default=None, exclude_if=lambda parent: parent is None)
    """The checkpoint that that training started from; null for training from scratch."""

    @property
    def altered(self) -> bool:
        """Whether anything in this line of trainings is not as it is registered."""
        return bool(self.overrides) or self.foreign or (self.parent is not None and self.parent.altered)


def foreign_start(before: tuple[str, str | None] | None, parent: ParentRef | None) -> bool:
    """Whether a training started from something else than the stage before, as it is registered.

    Args:
        before: task and variant of the stage before; None for a task that is trained from scratch.
        parent: what it started from; None for scratch.
    """
    if before is None or parent is None:
        return before is not None or parent is not None
    return before != (parent.task, parent.variant) or parent.altered


class CollectedDemos(Record):
    """How a file of demonstrations was collected."""

    sha256: Sha256
    """Digest of the file."""
    num_envs: PositiveInt
    """Parallel environments."""
    steps: PositiveInt
    """Control steps of each."""
    seed: NonNegativeInt
    """Seed of the environments."""


class RunRecord(Record):
    """run.json, rewritten at each change of status."""

    schema_: Literal["genelab/run/1"] = Field(alias="schema")
    """Name and version of this schema."""
    task: str
    """Task identifier."""
    task_version: PositiveInt
    """Version of the task under its identifier."""
    seed: NonNegativeInt
    """Training seed."""
    seeds_planned: tuple[NonNegativeInt, ...] = Field(min_length=1)
    """Every seed of the sweep, as planned when this seed was last launched."""
    config_sha256: Sha256
    """Digest of the snapshot in `params/`."""
    command: tuple[str, ...]
    """Command line of the last launch."""
    overrides: tuple[Override, ...]
    """What the command line changed in the registered task."""
    execution: ExecutionRecord
    """What the process runs on."""
    parent: ParentRef | None = Field(default=None, exclude_if=lambda parent: parent is None)
    """The checkpoint that training started from; left out where it started from scratch."""
    status: RunStatus = "planned"
    """How far the run got."""
    failure: Failure | None = None
    """Why it failed; null unless the status is `failed`."""
    launched_at: AwareDatetime
    """First launch, UTC."""
    code: tuple[CodeStamp, ...] | None = None
    """Source of genelab and of the task package, every state that trained; null until the worker has started."""
    packages: Packages | None = None
    """Versions by distribution name; null until the worker has started."""
    hardware: HardwareStamp | None = None
    """Machine; null until the worker has started."""
    backend: BackendStamp | None = None
    """Simulator and tensor flags in force; null until the worker has started."""
    attempts: tuple[Attempt, ...] = ()
    """Processes that trained this seed, in order."""
    timing: TrainTiming | None = None
    """What training cost; null until it is done."""
    checkpoint: TrainedCheckpoint | None = None
    """The final policy; null until training is done."""
    guards: dict[str, NonNegativeInt] = {}
    """Counters of what went wrong in training and was let pass, by name: `env_resets` with --nan-policy reset-env."""

    demonstrations: CollectedDemos | None = Field(default=None, exclude_if=lambda source: source is None)
    """What the replay buffer held before training; left out without demonstrations, and by older versions."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.seed not in self.seeds_planned:
            raise ValueError(f"seed {self.seed} is not among the planned seeds {list(self.seeds_planned)}")
        if (self.failure is not None) != (self.status == "failed"):
            raise ValueError("failure must be given exactly when the status is 'failed'")
        if self.status in ("trained", "evaluating", "finished") and self.checkpoint is None:
            raise ValueError(f"status '{self.status}' needs a checkpoint")
        return self
