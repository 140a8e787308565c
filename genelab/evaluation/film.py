"""Films an episode: pictures of the simulation, and beside them what the policy was asked for and what it does."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment
from genelab.errors import DivergedError, InputError
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy
from genelab.sim.session import Session
from genelab.sim.simulation import Simulation

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
    seed: int,
    every: int,
    size: tuple[int, int],
) -> Iterator[Shot]:
    """Run numbered episodes of an evaluation, one after the other until the time is filled, and look at them.

    Args:
        task: the task.
        checkpoint: the policy.
        session: the running simulator.
        source: names the checkpoint in errors.
        seconds: length, s.
        episode: number of the first.
        seed: of the evaluation.
        every: control steps between two pictures.
        size: width and height of a picture.

    Raises:
        InputError: if weights or layout do not fit the task; names `source`.
        RunError: if the scene cannot be drawn on this machine.
        DivergedError: if a state broke.
    """
    actor = backend_of(task.agent).load_actor(checkpoint, task.agent, len(task.env.action.columns), source)
    policy = DeterministicPolicy(actor, session.device, task.agent.actor_groups)
    sim = Simulation(task.env, 1, session, camera=size)
    env = Environment(
        task.env,
        sim,
        seed,
        numbering="episode",
        episodes=[episode],
        max_steps=task.env.control_steps(task.protocol.max_episode_s),
        observation_noise=task.protocol.observation_noise,
        disturbances=task.protocol.disturbances,
    )
    if env.layout() != checkpoint.layout:
        raise InputError(f"{source}: the observations it was trained on are laid out otherwise than the task's")
    observations, earned = env.reset(), 0.0
    shown = torch.zeros(3)
    share = min(task.env.control_dt / LOW_PASS_S, 1.0)
    for number in range(task.env.control_steps(seconds)):
        state = env.state()
        if state.body is not None:
            body = state.body
            shown += share * (torch.cat([body.lin_vel_b[0, :2], body.ang_vel_b[0, 2:]]).cpu() - shown)
        if number % every == 0:
            target = (state.body.pos_w[0] if state.body else state.link_pos_w[0].mean(dim=0)).tolist()
            asked = task.probe and tuple(state.commands[task.probe.command][0].tolist())
            x, y, turn = shown.tolist()
            yield Shot(
                image=sim.picture(tuple(a + b for a, b in zip(target, BESIDE_M, strict=True)), tuple(target)),
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
