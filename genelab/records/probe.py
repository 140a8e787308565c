"""What a policy achieves under fixed commands. All but the columns by environment is derived."""

import math
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt, model_validator

from genelab.config.base import Sha256
from genelab.config.scene import EngineName
from genelab.config.task import ProbeCfg
from genelab.records.base import Record
from genelab.records.stamps import CodeStamp, HardwareStamp, Packages

HALF = 0.5
"""Share of the command from which an environment counts as following it."""


class ProbeCase(Record):
    """One command."""

    name: str
    """Name of the case."""
    command: tuple[float, ...]
    """The command."""
    achieved: tuple[float, ...] = Field(min_length=1)
    """Mean of the commanded component over the measured steps, by environment, signed, in its unit."""
    fell: tuple[bool, ...]
    """Whether the environment met a termination at any step, the warm-up included."""
    share_median: float
    """Median over environments of achieved over commanded."""
    share_p10: float
    """10th percentile of it: nine tenths of the environments do better."""
    falls: NonNegativeInt
    """Environments that fell."""
    following: NonNegativeInt
    """Environments that did not fall and achieved more than half of the command."""

    @model_validator(mode="after")
    def _follows_from_its_columns(self) -> Self:
        if len(self.achieved) != len(self.fell):
            raise ValueError(f"case '{self.name}': {len(self.achieved)} values for {len(self.fell)} environments")
        derived = _derived(self.command, self.achieved, self.fell)
        if derived != (self.share_median, self.share_p10, self.falls, self.following):
            raise ValueError(f"case '{self.name}': its numbers do not follow from its columns")
        return self


class ProbeRecord(Record):
    """The result of `genelab probe`."""

    schema_: Literal["genelab/probe/2"] = Field(alias="schema")
    """Name and version of this schema."""
    task: str
    """Task identifier."""
    seed: NonNegativeInt
    """Training seed."""
    config_sha256: Sha256
    """Digest of the configuration."""
    weights_sha256: Sha256
    """Digest of the policy's tensors."""
    iteration: NonNegativeInt
    """Learning iterations behind them."""
    engine: EngineName
    """Simulator."""
    probe: ProbeCfg
    """How it was done."""
    cases: tuple[ProbeCase, ...] = Field(min_length=1)
    """The commands, in order."""
    num_envs: PositiveInt
    """Environments of each case."""
    code: tuple[CodeStamp, ...] = Field(min_length=1)
    """Source of genelab and of the task package."""
    packages: Packages
    """Versions by distribution name."""
    hardware: HardwareStamp
    """Machine."""
    finished_at: AwareDatetime
    """End, UTC."""

    @model_validator(mode="after")
    def _cases_are_those_of_the_probe(self) -> Self:
        if [(case.name, case.command) for case in self.cases] != [*self.probe.cases.items()]:
            raise ValueError("cases are not those of the probe, in its order")
        if any(len(case.achieved) != self.num_envs for case in self.cases) or self.num_envs != self.probe.num_envs:
            raise ValueError(f"cases do not have {self.num_envs} environments each, as the probe has")
        return self


def case_of(name: str, command: tuple[float, ...], achieved: Sequence[float], fell: Sequence[bool]) -> ProbeCase:
    """A case with what follows from its columns.

    Raises:
        ValueError: if the columns are not of one length, or a value is not finite.
    """
    if len(achieved) != len(fell) or not all(map(math.isfinite, achieved)):
        raise ValueError(f"case '{name}': columns must have one length and finite values")
    median, low, falls, following = _derived(command, achieved, fell)
    return ProbeCase(
        name=name,
        command=command,
        achieved=tuple(achieved),
        fell=tuple(fell),
        share_median=median,
        share_p10=low,
        falls=falls,
        following=following,
    )


def _derived(
    command: tuple[float, ...], achieved: Sequence[float], fell: Sequence[bool]
) -> tuple[float, float, int, int]:
    asked = next(part for part in command if part != 0.0)
    shares = [value / asked for value in achieved]
    following = sum(share > HALF and not down for share, down in zip(shares, fell, strict=True))
    return quantile(sorted(shares), 0.5), quantile(sorted(shares), 0.1), sum(fell), following


def quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile by linear interpolation between order statistics, numpy's default. ordered: ascending, at least one."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
