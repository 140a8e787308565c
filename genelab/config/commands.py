"""What commands are asked beside the task and its execution: the one place of their defaults."""

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from genelab.config.base import Cfg, Seed
from genelab.config.places import STORE
from genelab.config.scene import EngineName

ConfigSource = Literal["run", "registry"]
XAxis = Literal["steps", "iterations", "hours"]


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

    policy: Literal["trained", "idle", "random"] = "trained"
    """What acts: the checkpoint's policy, zero actions, or random ones."""

    seconds: float = Field(default=10.0, ge=0.1, le=600.0)
    """Length, s. When the episode ends, the next one follows."""
    episode: int = Field(default=0, ge=0, lt=2**31)
    """Number of the first episode: its draws, and its place on a terrain, are those of an evaluation."""
    fps: int = Field(default=25, ge=1, le=1000)
    """Frames per second at most. There is a whole number of control steps between two."""


class PlayCfg(Cfg):
    """A live viewer in the browser."""

    engine: EngineName = "mujoco"
    """Simulator. MuJoCo starts in seconds and needs no GPU; the trained one may move a little differently."""
    episode: int = Field(default=0, ge=0, lt=2**31)
    """Number of the first episode: its draws, and its place on a terrain, are those of an evaluation."""
    host: str = "127.0.0.1"
    """Address to serve on. 0.0.0.0 opens the viewer to the network: anyone there can steer."""
    port: int = Field(default=8080, ge=1, lt=2**16)
    """Port to serve on, or the next free one."""


class PlotCfg(Cfg):
    """A picture of learning curves."""

    metric: str = "episode_return"
    """Column of curve.jsonl."""
    x: XAxis = "steps"
    """Horizontal axis: environment steps, iterations, or hours of training."""
    out: Path = Path("curves.svg")
    """File of the picture: .svg or .png."""


class StoreCfg(Cfg):
    """Where published entries are, and what is rendered from them."""

    store: Path = STORE
    """Root of the reference store."""
    docs: Path = Path("docs")
    """Folder of the rendered page."""


class HubCfg(Cfg):
    """How to talk to the Hub."""

    license: str = Field(default="apache-2.0", pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """License that the card names, as the Hub writes it."""
    timeout_s: PositiveFloat = 60.0
    """Longest wait for a connection, or for the next bytes of an answer, s."""
    tries: PositiveInt = 5
    """Failures in a row, of the network or the Hub, after which a command gives up."""
    conflicts: PositiveInt = 200
    """Commits of others that came first, after which a push gives up."""
    first_wait_s: NonNegativeFloat = 1.0
    """Wait after a failure, s; twice as long after each further one."""
    longest_wait_s: NonNegativeFloat = 310.0
    """Longest wait, s: the Hub counts requests over 300 s."""
