"""Collects demonstrations by a task's scripted controller."""

from collections.abc import Callable
from importlib.metadata import version
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
from genelab.learn.state import load_state, save_state, whole_state
from genelab.mdp.state import StateView
from genelab.records.demos import ActionColumn, Collection, DemoHeader, Demos, LayoutRow, encode_demos
from genelab.records.stamps import ENGINE_PACKAGES
from genelab.runs.files import write_atomic
from genelab.sim.session import Session

SAVE_EVERY = 200
"""Control steps between two saves of an unfinished collection."""
PARTIAL = ".partial"
"""Ending of an unfinished collection, after the name of the file."""
UNFINISHED = "genelab/collection/2"
"""Its schema."""
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

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next action depends on beside the state."""
        ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
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

    What was collected so far is kept beside the file, and the same call goes on from there.

    Args:
        progress: called with the number of control steps done.

    Raises:
        InputError: as `controller_of`, or if an unfinished collection beside the file is another one.
        DivergedError: if an environment broke.
    """
    reference = controller_of(task, cfg)

    env = make_scene(task, Purpose.training(task, cfg.seed, final_observations=True), cfg.num_envs, session)
    controller: Demonstrator = resolve_function(reference)(task.env, cfg.num_envs, env.device)
    versions = {name: version(name) for name in ("genelab", *ENGINE_PACKAGES[session.engine], "torch")}
    asked = {"config_sha256": config_sha256(task), "device": str(session.device), **versions, **dump(cfg)}
    collector, partial = Collector(env, controller), out.with_name(f"{out.name}{PARTIAL}")
    if partial.is_file():
        go_on(collector, partial, asked)
    with torch.inference_mode():
        while collector.steps < cfg.steps:
            collector.step()
            progress(collector.steps)
            if collector.steps % SAVE_EVERY == 0 or collector.steps == cfg.steps:
                save_state(partial, UNFINISHED, {"asked": asked, "collector": collector.state_dict()})
    demos = collector.demos(task, cfg, asked["config_sha256"])
    if out.exists():
        raise InputError(f"'{out}' appeared meanwhile; it is left as it is, and this collection in '{partial}'")
    write_atomic(out, encode_demos(demos))
    partial.unlink(missing_ok=True)
    return demos.header


def go_on(collector: "Collector", partial: Path, asked: dict[str, Any]) -> None:
    """Bring a collector to where an unfinished collection stopped.

    Args:
        collector: at its beginning.
        partial: what was kept of the collection.
        asked: what is to be collected, and by which versions.

    Raises:
        InputError: if it is another collection, or no whole state of this one; names `partial`.
    """
    saved = load_state(partial, UNFINISHED)
    if saved["asked"] != asked:
        raise InputError(f"'{partial}' is another unfinished collection; finish that one or delete it")
    with whole_state(partial, "unfinished collection"):
        collector.load_state_dict(saved["collector"])


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

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the collection depends on, and what there is of it."""
        return {
            "steps": self.steps,
            "env": self._env.state_dict(),
            "controller": self._controller.state_dict(),
            "observations": self._observations,
            "columns": {name: self._stacked(name) for name in self._columns},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.steps = state["steps"]
        self._env.load_state_dict(state["env"])
        self._controller.load_state_dict(state["controller"])
        self._observations = {group: rows.to(self._env.device) for group, rows in state["observations"].items()}
        self._columns = {name: list(rows.unbind(0)) for name, rows in state["columns"].items()}

    def demos(self, task: TaskSpec, cfg: CollectCfg, digest: str) -> Demos:
        """What was collected, as a file holds it."""
        arrays = {name: self._stacked(name).flatten(0, 1).numpy() for name in self._columns}
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
            config_sha256=digest,
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

    def _stacked(self, name: str) -> Tensor:
        return torch.stack(self._columns[name])
