"""sweep.json: the seeds of one training command and where each of them stands."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, model_validator

from genelab.config.base import Sha256
from genelab.config.run import ExecutionCfg
from genelab.records.base import Record

SeedState = Literal["planned", "training", "trained", "evaluating", "finished", "failed", "crashed", "interrupted"]


class SeedEntry(Record):
    """Where one seed stands."""

    seed: NonNegativeInt
    """Training seed; its directory is `seed_<seed>`."""
    state: SeedState = "planned"
    """`failed` was recorded by the run itself; `crashed` is a process that died without a word."""
    attempts: NonNegativeInt = 0
    """Times that it was launched or went on after its machine was lost."""
    nodes: tuple[str, ...] = ()
    """Machines of a cluster that it ran on, in order, by their addresses; one name for processes in a row on the same.
    Empty if it ran without a cluster."""
    exit_code: int | None = None
    """Exit code of its last process, negative for a signal; null while it runs or if none was started."""
    reason: str | None = None
    """Why it failed, crashed or was interrupted, or what it waits for; null otherwise."""


class SweepRecord(Record):
    """sweep.json, rewritten at each change of a seed's state."""

    schema_: Literal["genelab/sweep/2"] = Field(alias="schema")
    """Name and version of this schema."""
    task: str
    """Task identifier."""
    task_version: PositiveInt
    """Version of the task under its identifier."""
    config_sha256: Sha256
    """Digest of the snapshot that every seed shares."""
    execution: ExecutionCfg
    """What every seed's process runs on, as requested."""
    command: tuple[str, ...]
    """Command line of the last launch."""
    seeds: tuple[SeedEntry, ...] = Field(min_length=1)
    """Every planned seed, in the order planned."""
    created_at: AwareDatetime
    """First launch, UTC."""
    updated_at: AwareDatetime
    """Last change, UTC."""

    @property
    def seeds_planned(self) -> tuple[int, ...]:
        """The planned seeds."""
        return tuple(entry.seed for entry in self.seeds)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.seeds_planned)) != len(self.seeds):
            raise ValueError(f"duplicate seeds in {list(self.seeds_planned)}")
        return self
