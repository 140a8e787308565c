"""Configured terms bound to their functions, checked once when the environment is built."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from genelab.config.base import Choice, Param, resolve_function
from genelab.config.terms import ObservationGroupCfg, ObservationTermCfg
from genelab.errors import InputError
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
    function = resolve_function(cfg.func)
    params = {name: _resolved(f"{path}.params.{name}", value) for name, value in cfg.params.items()}
    try:
        inspect.signature(function).bind(None, **params)
    except TypeError as error:
        raise InputError(f"{path}.params = {cfg.params!r}: {cfg.func} {error}") from error
    return functools.partial(function, **params)


def _resolved(path: str, value: Param) -> Any:
    if not isinstance(value, Choice):
        return value
    try:
        return value.resolve()
    except InputError as error:
        raise InputError(f"{path} {error}") from error


def layout_row(name: str, cfg: ObservationTermCfg, start: int, stop: int) -> dict[str, Any]:
    """Where a term stands in its group, how it is scaled, and its bounds if it has any, one pair per column."""
    row: dict[str, Any] = {"name": name, "start": start, "stop": stop}
    row |= {"scale": cfg.scale, "func": cfg.func, "params": cfg.model_dump(mode="json")["params"]}
    if cfg.bounds is not None:
        row["bounds"] = [list(pair) for pair in cfg.bounds] * (stop - start if len(cfg.bounds) == 1 else 1)
    return row


class ObservationGroup:
    """One observation group: (value + noise) x scale, concatenated in order."""

    def __init__(self, name: str, cfg: ObservationGroupCfg, *, noise: bool) -> None:
        """Bind the terms. `noise` switches the noise of a noisy group off."""
        self.name = name
        self.cfg = cfg
        self._terms = {term: bind(f"env.observations.{name}.terms.{term}", c) for term, c in cfg.terms.items()}
        self._noisy = noise and cfg.noise and any(term.noise for term in cfg.terms.values())
        self.dims: dict[str, int] = {}
        self._scale = self._half_width = torch.empty(0)

    def measure(self, state: StateView) -> None:
        """Learn the width of every term from one state.

        Raises:
            InputError: if a term has neither one pair of bounds nor one per dimension.
        """
        values = {name: term(state) for name, term in self._terms.items()}
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

    def compute(self, state: StateView, uniform: Callable[[int], Tensor], tap: Tap | None = None) -> Tensor:
        """The group's observation. Shape: (num_envs, sum of dims)."""
        values = [term(state) for term in self._terms.values()]
        if tap is not None:
            for name, term in zip(self._terms, values, strict=True):
                tap(f"observation/{self.name}/{name}", term)
        value = torch.cat(values, dim=1)
        if self._noisy:
            value = value + (2.0 * uniform(value.shape[1]) - 1.0) * self._half_width
        value = value * self._scale
        if tap is not None:
            tap(f"observation/{self.name}", value)
        return value

    def layout(self) -> list[dict[str, Any]]:
        """One row per term, for checkpoints and exports."""
        rows: list[dict[str, Any]] = []
        start = 0
        for name, cfg in self.cfg.terms.items():
            stop = start + self.dims[name]
            rows.append(layout_row(name, cfg, start, stop))
            start = stop
        return rows
