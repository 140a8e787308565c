"""How a sweep is executed. Not part of the task: two runs of one config may differ here, and the record says so."""

from typing import Annotated

from pydantic import PositiveInt, StringConstraints

from genelab.config.base import Cfg

Device = Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]


class ExecutionCfg(Cfg):
    """What one seed's process runs on. Fixed at the first attempt of a seed."""

    device: Device = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:<index>`. `auto` takes CUDA if there is one and says what it chose."""
    threads: PositiveInt = 1
    """CPU threads of a seed's process. Float sums depend on it, so it never follows from --parallel."""


class SweepCfg(Cfg):
    """How the seeds of a sweep share the machine."""

    parallel: PositiveInt = 1
    """Seeds trained at the same time."""
