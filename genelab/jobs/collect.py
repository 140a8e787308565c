"""Collects demonstrations by a task's scripted controller."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from genelab.config.commands import CollectCfg
from genelab.config.snapshot import config_sha256, dump
from genelab.config.task import TaskSpec
from genelab.envs.make import make_scene
from genelab.envs.protocol import SceneEnv
from genelab.envs.purpose import Purpose
from genelab.errors import DivergedError, InputError
from genelab.functions import resolve_function
from genelab.mdp.state import StateView
from genelab.records.demos import ActionColumn, Collection, DemoHeader, Demos, LayoutRow, encode_demos
from genelab.runs.files import write_atomic
from genelab.sim.session import Session

OF_EPISODES = ("return", "success", "success_at_end")
"""Columns that the header sums up."""


class Demonstrator(Protocol):
    """A scripted controller: a class called with environment config, number of environments and device."""

    def __call__(self, state: StateView) -> Tensor:
        """Raw actions. Shape: (num_envs, num_actions)."""
        ...

    def reset(self, mask: Tensor) -> None:
        """Begin again where an episode ended. Shape: (num_envs,) bool."""
        ...


def controller_of(task: TaskSpec, cfg: CollectCfg) -> str:
    """Reference of the task's scripted controller, before the simulator is started.

    Raises:
        InputError: if it has none, or the steps are no whole episodes.
    """
    if task.demonstrator is None:
        raise InputError(f"task '{task.id}' has no scripted controller to collect demonstrations")
    if cfg.steps % task.env.max_episode_steps:
        rule = f"must be a multiple of {task.env.max_episode_steps}, the control steps of an episode"
        raise InputError(f"--steps {cfg.steps}: {rule}; a half episode would be joined to another")
    return task.demonstrator


def collect(
    task: TaskSpec, cfg: CollectCfg, session: Session, out: Path, progress: Callable[[int], None]
) -> DemoHeader:
    """Collect demonstrations into a file.

    Args:
        progress: called with the number of control steps done.

    Raises:
        InputError: as `controller_of`, or if the file appears meanwhile.
        DivergedError: if an environment broke.
    """
    reference = controller_of(task, cfg)
    env = make_scene(task, Purpose.training(task, cfg.seed, final_observations=True), cfg.num_envs, session)
    controller: Demonstrator = resolve_function(reference)(task.env, cfg.num_envs, env.device)
    collector = Collector(env, controller)
    with torch.inference_mode():
        while collector.steps < cfg.steps:
            collector.step()
            progress(collector.steps)
    demos = collector.demos(task, cfg)
    if out.exists():
        raise InputError(f"'{out}' appeared meanwhile; it is left as it is")
    write_atomic(out, encode_demos(demos))
    return demos.header


class Collector:
    """Steps a controller and keeps what happens."""

    def __init__(self, env: SceneEnv, controller: Demonstrator) -> None:
        self._env, self._controller = env, controller
        self._observations = env.reset()
        self._columns: dict[str, list[Tensor]] = {}
        self.steps = 0
        """Control steps done."""

    def step(self) -> None:
        """One control step of all environments."""
        action = self._controller(self._env.state())
        step = self._env.step(action)
        if bool(step.broken.any()):
            found = torch.nonzero(step.broken).flatten().tolist()
            raise DivergedError(f"demonstrations: environment(s) {found[:5]} broke at control step {self.steps}")
        # None where no episode ended, and none is needed.
        done, final = step.terminated | step.truncated, step.finished.observations or step.observations
        for group, before in self._observations.items():
            self._keep(f"observations/{group}", before)
            self._keep(f"next_observations/{group}", torch.where(done[:, None], final[group], step.observations[group]))
        own = {"actions": action, "rewards": step.reward, "terminated": step.terminated, "truncated": step.truncated}
        own |= {"return": step.finished.episode_return}
        if step.finished.success is not None and step.finished.success_at_end is not None:
            own |= {"success": step.finished.success, "success_at_end": step.finished.success_at_end}
        for name, value in own.items():
            self._keep(name, value)
        self._controller.reset(done)
        self._observations = step.observations
        self.steps += 1

    def demos(self, task: TaskSpec, cfg: CollectCfg) -> Demos:
        """What was collected, as a file holds it."""
        arrays = {name: torch.stack(column).flatten(0, 1).numpy() for name, column in self._columns.items()}
        ends = arrays["terminated"] | arrays["truncated"]
        success, at_end = arrays.get("success"), arrays.get("success_at_end")
        collection = Collection(
            num_envs=cfg.num_envs,
            steps=cfg.steps,
            seed=cfg.seed,
            env=dump(task.env),
            episodes=int(ends.sum()),
            return_mean=float(arrays["return"][ends].mean()),
            success_rate=None if success is None else float(success[ends].mean()),
            success_at_end_rate=None if at_end is None else float(at_end[ends].mean()),
        )
        layout: dict[str, Any] = self._env.layout()
        header = DemoHeader(
            schema="genelab/demos/2",
            task=task.id,
            task_version=task.task_version,
            config_sha256=config_sha256(task),
            layout={group: tuple(LayoutRow.model_validate(row) for row in rows) for group, rows in layout.items()},
            normalized=False,
            actions=tuple(ActionColumn(name=name, bounds=(-1.0, 1.0)) for name in task.env.action_columns),
            collection=collection,
        )
        arrays["rewards"] = arrays["rewards"].astype(np.float32)
        own = {name: array for name, array in arrays.items() if name not in OF_EPISODES}
        return Demos(header, own)

    def _keep(self, name: str, value: Tensor) -> None:
        # A copy: the environment may write into what it handed out.
        self._columns.setdefault(name, []).append(value.detach().cpu().clone())
