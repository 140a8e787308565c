"""The goal of an environment: what it achieves, and rewards that can be computed again for another goal."""

from collections.abc import Iterable

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.envs.terms import takes_goal
from genelab.errors import InputError
from genelab.mdp.goals import GoalView
from genelab.mdp.state import StateView
from genelab.mdp.term import XYZ, bind_function


class Goal:
    """Binds the goal of a config."""

    def __init__(self, cfg: EnvCfg) -> None:
        """Raises InputError if a function or its parameters are wrong."""
        assert cfg.goal is not None
        self._cfg = cfg.goal
        self._achieved = bind_function("env.goal", cfg.goal.achieved, cfg.goal.params, cfg)

    @property
    def is_place(self) -> bool:
        """Whether it is a position in the world."""
        return self._achieved.columns() == XYZ and self._achieved.unit() == "m"

    def of(self, state: StateView) -> GoalView:
        """The goals of a state."""
        return self.view(self._achieved(state), state.commands[self._cfg.command])

    def view(self, achieved: Tensor, desired: Tensor) -> GoalView:
        """Goals of any rows. Shapes: (rows, dim), (rows, dim)."""
        return GoalView(achieved, desired, self._cfg.tolerance)


def check_goal_terms(cfg: EnvCfg) -> None:
    """Check that what depends on the goal can be computed again, and that no goal is asked for without one.

    Raises:
        InputError: if not; names the term.
    """
    for name, term in cfg.rewards.items():
        if takes_goal(term.func) != (cfg.goal is not None):
            rule = "with env.goal, every reward must be a function of the goal; without, none can"
            raise InputError(f"env.rewards.{name}.func = '{term.func}': {rule}")
    for group, terms in cfg.observations.items():
        for name, term in terms.terms.items():
            path = f"env.observations.{group}.terms.{name}"
            if takes_goal(term.func) and cfg.goal is None:
                raise InputError(f"{path}.func = '{term.func}': is a function of the goal, and env.goal is null")
            if takes_goal(term.func) and term.noise and terms.noise:
                rule = "must be null: what follows from the goal is computed again for other goals"
                raise InputError(f"{path}.noise = {term.noise}: {rule}")


def reward_range(cfg: EnvCfg) -> tuple[float, float] | None:
    """Lowest and highest reward of a step that the bounds of the terms allow; None if one has none."""
    bounds = [(term.weight, term.bounds) for term in cfg.rewards.values()]
    if any(pair is None for _, pair in bounds):
        return None
    scale = cfg.control_dt if cfg.reward_per == "second" else 1.0
    ends = [sorted(scale * weight * end for end in pair) for weight, pair in bounds if pair]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


def added(values: Iterable[Tensor], like: Tensor) -> Tensor:
    """The sum of reward terms, one after the other. Shape: (rows,).

    A matrix product would sum in an order that depends on the number of rows.
    """
    total = torch.zeros_like(like)
    for value in values:
        total = total + value
    return total
