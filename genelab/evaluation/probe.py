"""Drives a policy with fixed commands, all cases at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genelab.config.task import ProbeCfg, TaskSpec
from genelab.envs.protocol import SceneEnv
from genelab.envs.purpose import Purpose
from genelab.envs.step import Observations
from genelab.errors import DivergedError
from genelab.evaluation.reload import reloaded_scene
from genelab.learn.checkpoint import Checkpoint
from genelab.mdp.state import StateView
from genelab.mdp.term import bind_function
from genelab.progress import counted
from genelab.sim.session import Session


@dataclass(frozen=True)
class Driven:
    """What became of the environments, case by case. Shapes: (cases, environments of each)."""

    achieved: Tensor
    """Mean of the commanded component over the measured steps, in its unit, float64."""
    fell: Tensor
    """Whether a termination was met at any step, bool."""


def drive(task: TaskSpec, cfg: ProbeCfg, checkpoint: Checkpoint, session: Session, source: str) -> Driven:
    """Run every case from a start of its own. Nothing is reset after a fall.

    A mean over environments that are reset would hide that half of them fell.

    Raises:
        InputError: if weights or layout do not fit the task; names `source`.
        DivergedError: if a state broke.
    """
    fixed, purpose = fixed_commands(task, cfg, session.device)
    env, policy = reloaded_scene(task, checkpoint, purpose, len(fixed), session, source)
    found = bind_function("probe", cfg.achieved, {}, task.scene)
    achieved, fell = measure(env, policy, fixed, cfg, found)
    shape = len(cfg.cases), cfg.num_envs
    return Driven(achieved.reshape(shape), fell.reshape(shape))


def fixed_commands(task: TaskSpec, cfg: ProbeCfg, device: torch.device | str = "cpu") -> tuple[Tensor, Purpose]:
    """The command of every environment, case by case, and what the environments are made for.

    Shape of the commands: (cases * environments of each, components).
    """
    commands = torch.tensor(list(cfg.cases.values()), device=device)
    fixed = commands.repeat_interleave(cfg.num_envs, dim=0)
    # The same starts, the same noise and the same ground in every case.
    episodes = [*range(cfg.num_envs)] * len(commands)
    noise = task.protocol.observation_noise
    return fixed, Purpose.fixed(cfg.seed, {cfg.command: fixed}, episodes, observation_noise=noise)


def measure(
    env: SceneEnv,
    policy: Callable[[Observations], Tensor],
    fixed: Tensor,
    cfg: ProbeCfg,
    found: Callable[[StateView], Tensor],
) -> tuple[Tensor, Tensor]:
    """Run a policy under commands that are fixed, each with one component other than 0. Shape: (num_envs, components).

    `found` tells of a state what is achieved of each component. Shape: (num_envs, components).

    Returns:
        Mean of that component over the measured steps, float64, and who fell in any step. Shapes: (num_envs,).

    Raises:
        DivergedError: if a state broke.
    """
    total = torch.zeros_like(fixed, dtype=torch.float64)
    fell = torch.zeros(len(fixed), dtype=torch.bool, device=fixed.device)
    observations = env.reset()
    steps = cfg.warm_up_steps + cfg.measured_steps
    for number in counted(range(steps), f"control steps of {len(cfg.cases)} cases", steps):
        step = env.step(policy(observations))
        observations = step.observations
        fell = fell | step.terminated
        if bool(step.broken.any()):
            raise DivergedError(f"probe: the state of environment {int(torch.nonzero(step.broken)[0])} broke")
        if number >= cfg.warm_up_steps:
            total += found(env.state())
    component = (fixed != 0.0).to(torch.int64).argmax(dim=1, keepdim=True)
    return (total / cfg.measured_steps).gather(1, component)[:, 0], fell
