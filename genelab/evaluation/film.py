"""Films an episode: pictures of the simulation, and what the task draws beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genelab.config.task import TaskSpec
from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.errors import DivergedError
from genelab.evaluation.reload import reloaded_policy, require_layout
from genelab.functions import resolve_function
from genelab.learn.checkpoint import Checkpoint
from genelab.mdp.state import StateView
from genelab.sim.session import Session

BESIDE_M = (1.5, -1.5, 0.6)
"""Where the camera stands from what it looks at, m, world axes. It follows a floating base."""
Canvas = Any
"""A `PIL.ImageDraw.ImageDraw`."""


class Overlay(Protocol):
    """Draws beside a film what a task is about: a class that is called with the task."""

    def observe(self, state: StateView) -> None:
        """Look at the state at the beginning of a control step; the film shows its first environment."""
        ...

    def restart(self) -> None:
        """Forget what was seen: the next state is of another episode."""
        ...

    def lines(self) -> list[str]:
        """Text of the moment."""
        ...

    def draw(self, canvas: Canvas, size: tuple[int, int]) -> None:
        """Draw into a picture. `size`: its width and height, pixels."""
        ...


@dataclass(frozen=True)
class Shot:
    """One picture, and the numbers of that moment."""

    image: NDArray[np.uint8]
    """Shape: (height, width, 3), RGB."""
    time_s: float
    """Since the film began, s."""
    earned: float
    """Return so far."""
    overlay: Overlay | None
    """What the task draws beside it, as of this moment; None for a task without."""


def film(
    task: TaskSpec,
    checkpoint: Checkpoint,
    session: Session,
    source: str,
    *,
    seconds: float,
    episode: int,
    every: int,
    size: tuple[int, int],
) -> Iterator[Shot]:
    """Run numbered episodes of the task's evaluation, one after the other until the time is filled, and look at them.

    Args:
        task: the task.
        checkpoint: the policy.
        session: the running simulator.
        source: names the checkpoint in errors.
        seconds: length, s.
        episode: number of the first.
        every: control steps between two pictures.
        size: width and height of a picture.

    Raises:
        InputError: if weights or layout do not fit the task; names `source`.
        RunError: if the scene cannot be drawn on this machine.
        DivergedError: if a state broke.
    """
    policy = reloaded_policy(task, checkpoint, session, source)
    purpose = Purpose.evaluation(task, task.protocol, episodes=[episode], camera=size)
    env = make_env(task, purpose, 1, session)
    require_layout(env, checkpoint, source)
    observations, earned = env.reset(), 0.0
    overlay: Overlay | None = resolve_function(task.overlay)(task) if task.overlay else None
    for number in range(task.env.control_steps(seconds)):
        state = env.state()
        if overlay is not None:
            overlay.observe(state)
        if number % every == 0:
            base = state.base
            target = (base.pos_w[0] if base else state.link_pos_w[0].mean(dim=0)).tolist()
            yield Shot(
                image=env.picture(tuple(a + b for a, b in zip(target, BESIDE_M, strict=True)), tuple(target)),
                time_s=number * task.env.control_dt,
                earned=earned,
                overlay=overlay,
            )
        step = env.step(policy(observations))
        if bool(step.broken[0]):
            raise DivergedError(f"the state broke {(number + 1) * task.env.control_dt:g} s after the film began")
        observations, earned = step.observations, earned + float(step.reward[0])
        if bool((step.terminated | step.truncated)[0]):
            earned = 0.0
            if overlay is not None:
                overlay.restart()
