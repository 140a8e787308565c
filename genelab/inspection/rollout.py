"""Inspection of a task or a checkpoint, over a rollout in the simulator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from genelab.config.inspection import InspectCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.config.snapshot import config_sha256, dump
from genelab.config.task import TaskSpec
from genelab.envs.make import make_env
from genelab.envs.protocol import Env
from genelab.envs.purpose import Purpose
from genelab.envs.terms import check_terms
from genelab.evaluation.episodes import Policy
from genelab.evaluation.evaluate import RandomPolicy
from genelab.evaluation.reload import require_layout
from genelab.inspection.columns import observation_columns, target_columns
from genelab.inspection.groups import ACTIONS, inspect_group
from genelab.inspection.statistics import GroupStatistics
from genelab.learn import checkpoint as checkpoints
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy
from genelab.progress import counted
from genelab.records.demos import LayoutRow
from genelab.records.inspection import InspectedGroup, Inspection, Rollout, Seen
from genelab.runs.run_dir import RunDir
from genelab.sim.make import start


def inspect_task(task: TaskSpec, cfg: InspectCfg, execution: ExecutionCfg) -> Inspection:
    """Inspect a registered task under random actions. Starts the simulator: call once per process.

    Raises:
        InputError: if the device does not exist, or a term is wrong.
    """
    return _inspect(task.id, task, cfg, execution, None)


def inspect_checkpoint(
    run_dir: RunDir, path: Path, cfg: InspectCfg, execution: ExecutionCfg, engine: EngineName | None = None
) -> Inspection:
    """Inspect a checkpoint under its own policy and its run's snapshot, or in another simulator.

    Starts the simulator: call once per process.

    Raises:
        InputError: if the checkpoint is torn or of another config, or the device does not exist.
    """
    return _inspect(str(path), run_dir.task().on(engine), cfg, execution, checkpoints.load_of_run(path, run_dir))


def _inspect(
    target: str, task: TaskSpec, cfg: InspectCfg, execution: ExecutionCfg, checkpoint: Checkpoint | None
) -> Inspection:
    check_terms(task)
    session = start(cfg.seed, execution.device, execution.threads, task.env.engine)
    # The episodes of the task's protocol under another seed: observation noise and disturbances as there.
    protocol = task.protocol.model_copy(update={"seed": cfg.seed})
    env = make_env(task, Purpose.evaluation(task, protocol), cfg.num_envs, session)
    kind, policy = ("task", "random") if checkpoint is None else ("checkpoint", "checkpoint")
    return Inspection(
        schema="genelab/inspect/1",
        kind=kind,
        target=target,
        task=task.id,
        config_sha256=config_sha256(task),
        normalized=None,
        rollout=Rollout(policy=policy, device=str(session.device), **dump(cfg)),
        groups=inspect_rollout(task, env, cfg.steps, checkpoint, f"checkpoint '{target}'"),
    )


def inspect_rollout(
    task: TaskSpec, env: Env, steps: int, checkpoint: Checkpoint | None = None, source: str = ""
) -> tuple[InspectedGroup, ...]:
    """Roll out and judge every observation group, then the actions.

    Args:
        task: what to run.
        env: an environment of it, for evaluation.
        steps: control steps.
        checkpoint: whose mean action to take; None for random actions.
        source: names the checkpoint in errors.

    Raises:
        InputError: if the weights or the observation layout of the checkpoint do not fit the task; names `source`.
    """
    layout = env.layout()
    if checkpoint is not None:
        require_layout(env, checkpoint, source)
    networks = backend_of(task.agent).networks(task.agent, layout, env.num_actions, checkpoint, source)
    noise = task.protocol.observation_noise
    readers = {
        name: _Reader(
            GroupStatistics(
                observation_columns(
                    [LayoutRow.model_validate(row) for row in rows], task.env.observations[name], noise=noise
                )
            ),
            is_read=name in networks.normalizers,
            module=networks.normalizers.get(name),
            knows=checkpoint is not None or task.agent.normalization == "fixed",
        )
        for name, rows in layout.items()
    }
    actions = GroupStatistics(target_columns(task.env))
    policy = RandomPolicy(env)
    if checkpoint is not None:
        policy = DeterministicPolicy(networks.actor, env.device, task.agent.actor_groups)
    _run(env, policy, readers, actions, steps)
    found = [reader.judge(name, task) for name, reader in readers.items()]
    return (*found, inspect_group(ACTIONS, actions, seen="action"))


@dataclass
class _Reader:
    """An observation group and what a network does first to it."""

    statistics: GroupStatistics
    is_read: bool
    """Whether a network reads the group."""
    module: nn.Module | None
    """Its normaliser, if there is one."""
    knows: bool
    """Whether the normaliser has its numbers."""

    @property
    def normalizer(self) -> nn.Module | None:
        """The normaliser if there is one that has its numbers."""
        return self.module if self.knows else None

    @torch.inference_mode()
    def add(self, observations: torch.Tensor) -> None:
        """Shape: (num_envs, columns)."""
        normalizer = self.normalizer
        seen = None if normalizer is None else normalizer(observations).cpu().numpy()
        self.statistics.add(observations.cpu().numpy(), seen)

    def judge(self, name: str, task: TaskSpec) -> InspectedGroup:
        """The group as it was seen."""
        if not self.is_read:
            return inspect_group(name, self.statistics)
        kind = task.agent.normalization
        seen: Seen = "unnormalised" if kind == "none" else "normaliser" if self.knows else "predicted"
        eps: Any = getattr(self.module, "eps", None)
        return inspect_group(name, self.statistics, normalization=kind, seen=seen, running_eps=eps)


def _run(env: Env, policy: Policy, readers: dict[str, _Reader], actions: GroupStatistics, steps: int) -> None:
    for reader in readers.values():
        if reader.module is not None:
            reader.module.to(env.device)
    observations = env.reset()
    for _ in counted(range(steps), f"rows of {env.num_envs} environments", steps):
        for name, reader in readers.items():
            reader.add(observations[name])
        action = policy(observations)
        actions.add(action.cpu().numpy())
        observations = env.step(action).observations
