"""How a sweep is launched and executed. No part of the task: runs of one config may differ, and the record says so."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt, StringConstraints

from genelab.config.base import Cfg, Seed

LoggerName = Literal["tensorboard", "wandb", "trackio"]
NanPolicy = Literal["stop", "reset-env"]
Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]


class ExecutionCfg(Cfg):
    """What one seed's process runs on. Device and threads are fixed at the first attempt of a seed."""

    device: Device = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:<index>`. `auto` takes CUDA if there is one and says what it chose."""
    threads: PositiveInt = 1
    """CPU threads of a seed's process. Float sums depend on it, so it never follows from --parallel."""
    nan_policy: NanPolicy = "stop"
    """What to do about a broken environment in training, in which the simulator reports an error or something is not
    finite: `stop` the seed, or end its episode, reset it, and count that in the record. Whatever is not finite in the
    update stops the seed in any case."""
    max_env_resets: PositiveInt = 100
    """Broken environments that `reset-env` resets in all before it stops the seed."""
    log: tuple[LoggerName, ...] = ("tensorboard",)
    """Where the rows of the curve go beside curve.jsonl."""
    video_every: PositiveInt | None = None
    """Iterations between two short films of a training, each of the next checkpoint then saved; null for none. Another
    process draws them, so that the training's numbers stay what they are and only its time grows."""


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


def _unique(seeds: tuple[int, ...]) -> tuple[int, ...]:
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"given twice: {', '.join(map(str, twice))}")
    return seeds


Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_split), AfterValidator(_unique), Field(min_length=1)]


class LaunchCfg(Cfg):
    """One launch of a sweep: what `genelab train` is asked to do, beside the task and its execution."""

    seeds: Seeds = (1, 2, 3)
    """Training seeds, separated by commas. More can be added to a sweep later."""
    parallel: PositiveInt = 1
    """Seeds trained at the same time."""
    log_dir: str = Field(default="runs/{task}", min_length=1)
    """Directory of the sweep; `{task}` stands for the task identifier, with _ and the variant if there is one."""
    evaluate: bool = True
    """Whether each trained seed is evaluated under the task's protocol."""
    grace_s: PositiveFloat = 60.0
    """Time that a stopped job has to save its state before it is killed, s."""
