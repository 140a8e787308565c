"""Configured terms bound to their functions, checked once when the environment is built."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.task import TaskSpec
from genelab.config.terms import layout_rows
from genelab.config.vector import VectorEnvCfg
from genelab.errors import InputError
from genelab.functions import resolve_function
from genelab.mdp.goals import GoalView
from genelab.mdp.state import StateView
from genelab.mdp.term import bind, bind_function, observed

Tap = Callable[[str, Tensor], None]
"""Is shown a tensor and its name. Shape: (num_envs, ...)."""


def check_terms(task: TaskSpec) -> None:
    """See that everything that a task names by reference can be bound, and the columns of terms named. Builds nothing.

    Raises:
        InputError: as `bind`.
    """
    if isinstance(task.env, VectorEnvCfg):
        resolve_function(task.env.make)
        return
    env, probe = task.env, task.probe
    bound = [bind(f"env.{path}", term, env) for path, term in env.terms()]
    if env.goal is not None:
        bound.append(bind_function("env.goal", env.goal.achieved, env.goal.params, env))
    for term in bound:
        term.columns()
    if task.train.curriculum is not None:
        bind("train.curriculum", task.train.curriculum, env)
    if probe is not None:
        bind_function("probe", probe.achieved, {}, env)
    if task.overlay is not None:
        resolve_function(task.overlay)


def takes_goal(func: str) -> bool:
    """Whether a function is one of the goal and not of the state: its first argument is called so."""
    return next(iter(inspect.signature(resolve_function(func)).parameters), None) == "goal"


class ObservationGroup:
    """One observation group: (value + noise) x scale, concatenated in order."""

    def __init__(self, name: str, env: EnvCfg, *, noise: bool) -> None:
        """Bind the terms. `noise` switches the noise of a noisy group off."""
        self.name = name
        self.cfg = cfg = env.observations[name]
        self._terms = dict(zip(cfg.terms, observed(env, name), strict=True))
        self._of_goal = {term: takes_goal(c.func) for term, c in cfg.terms.items()}
        self._noisy = noise and cfg.noise and any(term.noise for term in cfg.terms.values())
        self.dims: dict[str, int] = {}
        self._scale = self._half_width = torch.empty(0)

    def measure(self, state: StateView, goal: GoalView | None) -> None:
        """Learn the width of every term from one state and its goal.

        Raises:
            InputError: if a term has other columns than it says, or neither one pair of bounds nor one per dimension.
        """
        values = self._values(state, goal)
        self.dims = {name: value.shape[1] for name, value in values.items()}
        terms = self.cfg.terms
        for name, term in terms.items():
            columns = self._terms[name].columns()
            if columns is not None and len(columns) != self.dims[name]:
                told = f"says that it has the columns {', '.join(columns)}, and has {self.dims[name]}"
                raise InputError(f"{self._terms[name].path}.func = '{term.func}': {told}")
            if term.bounds is not None and len(term.bounds) not in (1, self.dims[name]):
                path = f"env.observations.{self.name}.terms.{name}.bounds"
                raise InputError(f"{path}: {len(term.bounds)} pairs, the term has {self.dims[name]} dimensions")

        def column(attribute: str) -> Tensor:
            widths = [getattr(terms[name], attribute) or 0.0 for name in terms for _ in range(self.dims[name])]
            return torch.tensor(widths, dtype=torch.float32, device=state.joint_pos.device)

        self._scale, self._half_width = column("scale"), column("noise")

    def compute(
        self, state: StateView, goal: GoalView | None, uniform: Callable[[int], Tensor], tap: Tap | None = None
    ) -> Tensor:
        """The group's observation. Shape: (num_envs, sum of dims)."""
        values = self._values(state, goal)
        if tap is not None:
            for name, term in values.items():
                tap(f"observation/{self.name}/{name}", term)
        value = torch.cat(list(values.values()), dim=1)
        if self._noisy:
            value = value + (2.0 * uniform(value.shape[1]) - 1.0) * self._half_width
        value = value * self._scale
        if tap is not None:
            tap(f"observation/{self.name}", value)
        return value

    def relabel(self, observation: Tensor, goal: GoalView) -> Tensor:
        """Observations as they would be with other goals. Shape: (rows, sum of dims)."""
        changed, start = observation.clone(), 0
        for name, term in self._terms.items():
            stop = start + self.dims[name]
            if self._of_goal[name]:
                changed[:, start:stop] = term(goal) * self._scale[start:stop]
            start = stop
        return changed

    def _values(self, state: StateView, goal: GoalView | None) -> dict[str, Tensor]:
        return {name: term(goal if self._of_goal[name] else state) for name, term in self._terms.items()}

    def layout(self) -> list[dict[str, Any]]:
        """One row per term and frame, oldest frame first, for checkpoints and exports.

        A group with a history says in each row how many control steps ago its frame was.
        """
        columns = [
            (term.columns() or tuple(map(str, range(self.dims[name]))), term.unit())
            for name, term in self._terms.items()
        ]
        return layout_rows(self.cfg, columns * self.cfg.history)
