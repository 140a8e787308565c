"""What commands are asked beside the task and its execution: the one place of their defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt

from genelab.config.base import Cfg, Seed
from genelab.config.scene import EngineName

ConfigSource = Literal["run", "registry"]


class EvalCfg(Cfg):
    """One evaluation of a checkpoint by hand."""

    config: ConfigSource = "run"
    """Evaluate the run's own snapshot, or the task as registered now."""


class CollectCfg(Cfg):
    """A collection of demonstrations."""

    num_envs: PositiveInt = 64
    """Parallel environments. A training that is filled with the demonstrations has as many."""
    steps: PositiveInt = 1000
    """Control steps of each environment, whole episodes."""
    seed: Seed = 42
    """Seed of the environments. Episodes are drawn as in training."""


class Sim2SimCfg(Cfg):
    """A second opinion on an exported policy."""

    engine: EngineName = "mujoco"
    """Simulator."""


class CompareCfg(Cfg):
    """A comparison of two sets of seeds."""

    metric: str = "return_mean"
    """What is judged: `return_mean`, `success_rate`, `success_at_end_rate`, `fall_rate`, a measure of the task, or
    `final_average`, `strength` or `stability` of the learning curve."""
    margin: float = Field(default=0.05, gt=0.0, lt=1.0)
    """Difference that counts, as a share of how far the better side is from doing nothing."""


class VideoCfg(Cfg):
    """A film of a policy."""

    seconds: float = Field(default=10.0, ge=0.1, le=600.0)
    """Length, s. When the episode ends, the next one follows."""
    episode: int = Field(default=0, ge=0, lt=2**31)
    """Number of the first episode: its draws, and its place on a terrain, are those of an evaluation."""
    fps: int = Field(default=25, ge=1, le=1000)
    """Pictures a second at most. There is a whole number of control steps between two."""


class StoreCfg(Cfg):
    """Where published entries are, and what is rendered from them."""

    store: Path = Path("reference")
    """Root of the reference store."""
    docs: Path = Path("docs")
    """Folder of the rendered page."""
