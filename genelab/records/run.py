"""run.json: how one seed was trained, on what, and how far it got."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from genelab.config.base import Sha256
from genelab.config.overrides import Override
from genelab.config.run import ExecutionCfg
from genelab.records.base import Record
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp, Packages

RunStatus = Literal["planned", "training", "stage_done", "trained", "evaluating", "finished", "failed", "interrupted"]
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
    """Iterations done before this attempt, those of earlier stages included."""
    to_iteration: NonNegativeInt | None = None
    """Iterations done and saved by it, as of its last save; null before the first one."""
    end: AttemptEnd = "running"
    """How it ended."""
    wall_s: NonNegativeFloat | None = None
    """Wall-clock of its training loop up to `to_iteration`, s; null before the first save."""
    machine_hash: str
    """Machine it ran on, as in the hardware stamp."""


class TrainTiming(Record):
    """What a training cost, over all its stages."""

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
    """Learning iterations behind the weights, those of earlier stages included."""


class ParentRef(Record):
    """The checkpoint that a training started from, of another training."""

    task: str
    """Task that it was trained on."""
    task_version: PositiveInt
    """Version of that task."""
    variant: str | None
    """Variant of that task; null for the task itself."""
    stage: str | None
    """Stage that left it; null for the last one, the task itself."""
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


class StageRecord(Record):
    """A stage before the last one, when it was done."""

    name: str
    """Its name in the task."""
    checkpoint: TrainedCheckpoint
    """The policy that it left, which the next one started from."""
    timing: TrainTiming
    """What training had cost by then, over all stages so far."""
    guards: dict[str, NonNegativeInt]
    """Counters of what had gone wrong by then and was let pass."""


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

    schema_: Literal["genelab/run/2"] = Field(alias="schema")
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
    parent: ParentRef | None = None
    """The checkpoint that training started from; null where it started from scratch."""
    extends: ParentRef | None = None
    """The end of the training of the same seed that this one goes on from, with its optimiser and environments; null
    where it began by itself. The earlier attempts and the curve up to there are those of that training."""
    stages: tuple[StageRecord, ...] = ()
    """Stages before the last one that are done, in order."""
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
    loggers_failed: dict[str, str] = {}
    """What a logger of `--log` said when it failed, by name. The training went on without it."""
    demonstrations: CollectedDemos | None = None
    """What the replay buffer held before training; null without demonstrations."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.seed not in self.seeds_planned:
            raise ValueError(f"seed {self.seed} is not among the planned seeds {list(self.seeds_planned)}")
        if (self.failure is not None) != (self.status == "failed"):
            raise ValueError("failure must be given exactly when the status is 'failed'")
        if self.status in ("trained", "evaluating", "finished") and self.checkpoint is None:
            raise ValueError(f"status '{self.status}' needs a checkpoint")
        return self
