"""What `genelab train` is asked to do, beside the task and its execution."""

from typing import Annotated, Self

from pydantic import Field, PositiveFloat, model_validator

from genelab.config.run import SweepCfg

Seed = Annotated[int, Field(ge=0, lt=2**32)]


class LaunchCfg(SweepCfg):
    """One launch of a sweep."""

    seeds: tuple[Seed, ...] = Field(default=(1, 2, 3), min_length=1)
    """Training seeds, separated by commas. More can be added to a sweep later."""
    log_dir: str = Field(default="runs/{task}", min_length=1)
    """Directory of the sweep; `{task}` stands for the task identifier."""
    evaluate: bool = True
    """Whether each trained seed is evaluated under the task's protocol."""
    grace_s: PositiveFloat = 60.0
    """Time that a stopped child has to save its state before it is killed, s."""

    @model_validator(mode="after")
    def _unique(self) -> Self:
        twice = sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"given twice: {', '.join(map(str, twice))}")
        return self
