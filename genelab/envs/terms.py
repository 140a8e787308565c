"""Configured terms bound to their functions, checked once when the environment is built."""

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from genelab.config.base import Choice, Param
from genelab.config.env import EnvCfg
from genelab.config.terms import ObservationGroupCfg, layout_rows
from genelab.errors import InputError
from genelab.functions import resolve_function
from genelab.mdp.goals import GoalView
from genelab.mdp.state import StateView

Tap = Callable[[str, Tensor], None]
"""Is shown a tensor and its name. Shape: (num_envs, ...)."""


class TermCfg(Protocol):
    """What every term config has."""

    @property
    def func(self) -> str:
        """Reference of the function."""
        ...

    @property
    def params(self) -> dict[str, Param]:
        """Keyword arguments of the function."""
        ...


def bind(path: str, cfg: TermCfg) -> Callable[..., Any]:
    """The term's function with its parameters filled in; takes the state view or the event context.

    Raises:
        InputError: if the function cannot be imported or does not take exactly these parameters, or a choice among them
            is not made, or its file is not the chosen one.
    """
    return bind_function(path, cfg.func, cfg.params)


def bind_function(path: str, func: str, params: Mapping[str, Param]) -> Callable[..., Any]:
    """A function with its parameters filled in; takes one more argument, its first. Raises InputError as `bind`."""
    function = resolve_function(func)
    resolved = {name: _resolved(f"{path}.params.{name}", value) for name, value in params.items()}
    try:
        inspect.signature(function).bind(None, **resolved)
    except TypeError as error:
        raise InputError(f"{path}.params = {dict(params)!r}: {func} {error}") from error
    return functools.partial(function, **resolved)


def check_terms(cfg: EnvCfg) -> None:
    """See that every term's function exists and takes its parameters. Raises InputError as `bind`."""
    for path, term in cfg.terms():
        bind(f"env.{path}", term)


def takes_goal(func: str) -> bool:
    """Whether a function is one of the goal and not of the state: its first argument is called so."""
    return next(iter(inspect.signature(resolve_function(func)).parameters), None) == "goal"


def _resolved(path: str, value: Param) -> Any:
    if not isinstance(value, Choice):
        return value
    try:
        return value.resolve()
    except InputError as error:
        raise InputError(f"{path} {error}") from error


class ObservationGroup:
    """One observation group: (value + noise) x scale, concatenated in order."""

    def __init__(self, name: str, cfg: ObservationGroupCfg, *, noise: bool) -> None:
        """Bind the terms. `noise` switches the noise of a noisy group off."""
        self.name = name
        self.cfg = cfg
        self._terms = {term: bind(f"env.observations.{name}.terms.{term}", c) for term, c in cfg.terms.items()}
        self._of_goal = {term: takes_goal(c.func) for term, c in cfg.terms.items()}
        self._noisy = noise and cfg.noise and any(term.noise for term in cfg.terms.values())
        self.dims: dict[str, int] = {}
        self._scale = self._half_width = torch.empty(0)

    def measure(self, state: StateView, goal: GoalView | None) -> None:
        """Learn the width of every term from one state and its goal.

        Raises:
            InputError: if a term has neither one pair of bounds nor one per dimension.
        """
        values = self._values(state, goal)
        self.dims = {name: value.shape[1] for name, value in values.items()}
        terms = self.cfg.terms
        for name, term in terms.items():
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
        widths = [self.dims[name] for _ in range(self.cfg.history) for name in self.cfg.terms]
        ends = [0, *itertools.accumulate(widths)]
        return layout_rows(self.cfg, list(itertools.pairwise(ends)))
