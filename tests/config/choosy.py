"""A task that leaves something to whoever trains, for the tests."""

from pathlib import Path

from genelab.config.base import Choice
from genelab.config.overrides import apply_overrides
from genelab.config.task import TaskSpec
from genelab.config.terms import RewardTermCfg
from genelab.registry import get_task

CLIP = "env.rewards.track.params.clip"
SPEED = "env.rewards.track.params.speed"


def task_with_choices() -> TaskSpec:
    """A task that leaves a motion clip and a speed to whoever trains."""
    task = get_task("GeneLab-Inverted-Pendulum-v1")
    params = {"clip": Choice(what="motion clip", kind="file"), "speed": Choice(what="speed, m/s", kind="number")}
    term = RewardTermCfg(func="tests.config.choosy:track", weight=1.0, params=params)
    env = task.env.model_copy(update={"rewards": {**task.env.rewards, "track": term}})
    return task.model_copy(update={"id": "Choosy-v0", "env": env})


def track(state: object, clip: Path, speed: float) -> tuple[str, float]:
    """Stands for a reward that reads a file."""
    return clip.read_text(), speed


def made(clip: Path, speed: float = 2.0) -> TaskSpec:
    return apply_overrides(task_with_choices(), [f"{CLIP}={clip}", f"{SPEED}={speed}"])[0]
