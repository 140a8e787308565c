"""What `genelab train` is asked to do, beside the task and its execution."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat

from genelab.config.base import Seed
from genelab.config.run import SweepCfg


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


def _unique(seeds: tuple[int, ...]) -> tuple[int, ...]:
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"given twice: {', '.join(map(str, twice))}")
    return seeds


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_split), AfterValidator(_unique), Field(min_length=1)]


class LaunchCfg(SweepCfg):
    """One launch of a sweep."""

    seeds: Seeds = (1, 2, 3)
    """Training seeds, separated by commas. More can be added to a sweep later."""
    log_dir: str = Field(default="runs/{task}", min_length=1)
    """Directory of the sweep; `{task}` stands for the task identifier, with _ and the variant if there is one."""
    evaluate: bool = True
    """Whether each trained seed is evaluated under the task's protocol."""
    grace_s: PositiveFloat = 60.0
    """Time that a stopped child has to save its state before it is killed, s."""
