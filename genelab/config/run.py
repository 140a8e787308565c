"""How a sweep is executed. Not part of the task: two runs of one config may differ here, and the record says so."""

from typing import Annotated, Literal

from pydantic import PositiveInt, StringConstraints

from genelab.config.base import Cfg

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


class SweepCfg(Cfg):
    """How the seeds of a sweep share the machine."""

    parallel: PositiveInt = 1
    """Seeds trained at the same time."""
