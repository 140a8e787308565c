"""Films an episode: pictures of the simulation, and beside them what the policy was asked for and what it does."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genelab.config.task import TaskSpec
from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.errors import DivergedError
from genelab.evaluation.reload import reloaded_policy, require_layout
from genelab.learn.checkpoint import Checkpoint
from genelab.sim.session import Session

BESIDE_M = (1.5, -1.5, 0.6)
"""Where the camera stands from what it looks at, m, world axes. It follows a floating base."""
LOW_PASS_S = 0.2
"""Time constant of the velocities shown, s. A trunk sways with every step."""


@dataclass(frozen=True)
class Shot:
    """One picture, and the numbers of that moment."""

    image: NDArray[np.uint8]
    """Shape: (height, width, 3), RGB."""
    time_s: float
    """Since the film began, s."""
    earned: float
    """Return so far."""
    command: tuple[float, float, float] | None
    """Velocity asked for, x, y (m/s) and turn (rad/s), frame of the base; None for a task without."""
    velocity: tuple[float, float, float] | None
    """Velocity of the base, low-passed, in the same frame; None for a task without a command."""


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
    shown = torch.zeros(3)
    share = min(task.env.control_dt / LOW_PASS_S, 1.0)
    for number in range(task.env.control_steps(seconds)):
        state = env.state()
        base = state.base
        if base is not None:
            shown += share * (torch.cat([base.lin_vel_b[0, :2], base.ang_vel_b[0, 2:]]).cpu() - shown)
        if number % every == 0:
            target = (base.pos_w[0] if base else state.link_pos_w[0].mean(dim=0)).tolist()
            asked = task.probe and tuple(state.commands[task.probe.command][0].tolist())
            x, y, turn = shown.tolist()
            yield Shot(
                image=env.picture(tuple(a + b for a, b in zip(target, BESIDE_M, strict=True)), tuple(target)),
                time_s=number * task.env.control_dt,
                earned=earned,
                command=asked or None,
                velocity=(x, y, turn) if asked else None,
            )
        step = env.step(policy(observations))
        if bool(step.broken[0]):
            raise DivergedError(f"the state broke {(number + 1) * task.env.control_dt:g} s after the film began")
        observations, earned = step.observations, earned + float(step.reward[0])
        if bool((step.terminated | step.truncated)[0]):
            earned, shown = 0.0, torch.zeros(3)
