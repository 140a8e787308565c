"""How a sweep is launched and executed. No part of the task: runs of one config may differ, and the record says so."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt, StringConstraints

from genelab.config.base import Cfg, Seed

LoggerName = Literal["tensorboard", "wandb", "trackio"]
NanPolicy = Literal["stop", "reset-env"]
ExecutorName = Literal["local", "ray", "slurm"]
Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]


class ExecutionCfg(Cfg):
    """What one seed's process runs on. Device and threads are fixed at the first attempt of a seed."""

    device: Device = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:<index>`. `auto` takes CUDA if there is one and says what it chose."""
    threads: PositiveInt = 1
    """CPU threads of each process. Float sums depend on their number, so it is recorded."""
    nan_policy: NanPolicy = "stop"
    """What to do in training when the simulator reports an error in an environment or a value there is not finite:
    `stop` the seed, or reset the environment and count that in the record. A value of the update that is not finite
    always stops the seed."""
    max_env_resets: PositiveInt = 100
    """Largest number of resets by `reset-env` in a training; one more stops the seed."""
    log: tuple[LoggerName, ...] = ("tensorboard",)
    """Loggers of the learning curve, beside curve.jsonl."""
    video_every: PositiveInt | None = None
    """Iterations between two short films of a training, each of the next saved checkpoint; null for none. A process of
    its own draws them: the results of the training stay the same, it only takes longer."""


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
    """Seeds trained at the same time. With Ray or Slurm, as many as fit if it is not given."""
    log_dir: str = Field(default="runs/{task}", min_length=1)
    """Directory of the sweep; `{task}` stands for the task identifier, with _ and the variant if there is one."""
    evaluate: bool = True
    """Whether each trained seed is evaluated under the task's protocol."""
    grace_s: PositiveFloat = 60.0
    """Time that a stopped job has to save its state before it is killed, s."""
    max_attempts: PositiveInt = 3
    """Attempts of a seed in one launch. Another one follows when the machine of the last one was lost."""


class ExecutorCfg(Cfg):
    """What runs the processes of the seeds."""

    executor: ExecutorName = "local"
    """`local`: processes of this machine. `ray`: tasks of a Ray cluster. `slurm`: an array of batch jobs."""
    address: str | None = None
    """Head of the Ray cluster, as HOST:PORT."""
    gpus: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """GPUs of each seed, with Ray or Slurm. A fraction lets seeds share one; 0 hides them. By default 1 where the task
    computes on a GPU: Ray asks for one if the cluster has any, Slurm with --device cuda."""
    other_machine: Literal["wait", "restart"] = "wait"
    """What a seed with a saved state does when Ray has no node left with its processor and GPU: `wait` for one, or
    `restart` from the beginning on another."""
