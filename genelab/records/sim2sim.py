"""sim2sim.json: what an exported policy earns in another simulator than the one it was judged in first."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt, model_validator

from genelab.config.base import Sha256
from genelab.config.scene import EngineName
from genelab.config.task import TaskSpec
from genelab.records.base import Record
from genelab.records.eval import Baseline, Episodes, EvalRecord, Metrics, Protocol
from genelab.records.probe import ProbeCase, ProbeRecord
from genelab.records.stamps import BackendStamp, CodeStamp, HardwareStamp, Packages

KEPT = 0.8
"""Share of what it earned that a policy must keep in the other simulator."""


def second_engine(task: TaskSpec) -> EngineName | None:
    """The other simulator that every seed of a task is judged in; None for a task that is judged in MuJoCo already."""
    return "mujoco" if task.env.engine == "genesis" else None


class Sim2SimRecord(Record):
    """The result of `genelab sim2sim`."""

    schema_: Literal["genelab/sim2sim/1"] = Field(alias="schema")
    """Name and version of this schema."""
    task: str
    """Task identifier."""
    seed: NonNegativeInt
    """Training seed, as the contract of the policy has it."""
    config_sha256: Sha256
    """Digest of the configuration that the policy was trained with."""
    policy_sha256: Sha256
    """Digest of the policy file."""
    weights_sha256: Sha256
    """Digest of the tensors of the checkpoint that it was exported from."""
    code: tuple[CodeStamp, ...] = Field(min_length=1)
    """Source of genelab and of the task package."""
    packages: Packages
    """Versions by distribution name."""
    hardware: HardwareStamp
    """Machine."""
    backend: BackendStamp
    """Simulator and flags in force."""
    protocol: Protocol
    """How the episodes were run."""
    episodes: Episodes
    """Of the policy."""
    metrics: Metrics
    """Aggregates over them."""
    idle: Baseline
    """What doing nothing earns in this simulator."""
    probe: tuple[ProbeCase, ...]
    """What the policy achieves under the fixed commands of the task; empty for a task without."""
    wall_s: NonNegativeFloat
    """Wall-clock of the policy's episodes, s."""
    finished_at: AwareDatetime
    """End, UTC."""

    @model_validator(mode="after")
    def _idle_ran_the_same_episodes(self) -> Self:
        if self.idle.episodes.index != self.episodes.index:
            raise ValueError("idle.episodes: not those of the policy")
        return self


def kept_return(first: EvalRecord, second: Sim2SimRecord) -> float | None:
    """Return above idle in the other simulator, as a share of that in the first; None where there was none."""
    before = first.metrics.return_mean - first.baselines.idle.metrics.return_mean
    after = second.metrics.return_mean - second.idle.metrics.return_mean
    return after / before if before > 0.0 else None


def kept_commands(first: ProbeRecord, second: Sim2SimRecord) -> dict[str, float]:
    """Median share of every command in the other simulator, as a share of that in the first."""
    elsewhere = {case.name: case.share_median for case in second.probe}
    known = (case for case in first.cases if case.share_median > 0.0 and case.name in elsewhere)
    return {case.name: elsewhere[case.name] / case.share_median for case in known}


def lost(first: EvalRecord, probe: ProbeRecord | None, second: Sim2SimRecord) -> tuple[str, ...]:
    """What a policy does not keep in the other simulator, in words; empty if it keeps at least `KEPT` of everything."""
    found: list[str] = []
    kept = kept_return(first, second)
    if kept is not None and kept < KEPT:
        found.append(f"{kept:.0%} of the return above idle")
    if probe is not None:
        found += [
            f"{share:.0%} of {name.replace('_', ' ')}"
            for name, share in kept_commands(probe, second).items()
            if share < KEPT
        ]
    return tuple(found)
