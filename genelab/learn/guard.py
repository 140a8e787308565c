"""Finds the first thing in an iteration that is not normal: a tensor that is not finite, or a dead action noise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from genelab.errors import DivergedError

START = "the state at the start of the iteration"

Phase = Literal["start", "rollout", "resets", "update"]


@dataclass
class Fault:
    """The first culprit of an iteration."""

    phase: Phase
    """Where it showed."""
    tensor: str
    """What is not normal, e.g. `reward/alive`, `observation/policy/joint_vel`, `gradient/actor/mlp.0.weight`."""
    value: float
    """Its first value that is not normal."""
    rule: str
    """What it breaks."""
    last_normal: str
    """What was checked last before it, and was normal."""
    step: int | None = None
    """Control step of the rollout, from 0; None in an update."""
    mini_batch: int | None = None
    """Mini-batch of the update, counted over its passes from 0; None before the first and in a rollout."""
    environments: list[int] = field(default_factory=list)
    """Environments that it shows in, empty where it belongs to none."""
    reproduced: bool | None = None
    """Whether the same steps from the saved state led to it again; None where that was not tried."""
    iteration: int = 0
    """Iteration, from 0."""

    def __str__(self) -> str:
        where = f"iteration {self.iteration}, {self.phase}"
        where += f", step {self.step}" if self.step is not None else ""
        where += f", mini-batch {self.mini_batch}" if self.mini_batch is not None else ""
        shown = ", ".join(map(str, self.environments[:5])) + (", ..." if len(self.environments) > 5 else "")
        within = f" in {len(self.environments)} environment(s) ({shown})" if self.environments else ""
        return f"{where}: {self.tensor} is {self.value}{within}: {self.rule}; last normal: {self.last_normal}"


class FaultError(DivergedError):
    """An iteration met a fault and was given up. Nothing of it has been saved."""

    def __init__(self, fault: Fault, tensors: Mapping[str, Tensor]) -> None:
        """Report a fault, with the tensors that it was found in by name."""
        super().__init__()
        self.fault = fault
        self.tensors = dict(tensors)
        self.start: dict[str, Any] = {}
        """State of the trainer at the start of the iteration."""
        self.actions: list[Tensor] = []
        """Raw actions of the rollout so far. Shape of each: (num_envs, num_actions)."""

    def __str__(self) -> str:
        return str(self.fault)


FINITE = "must be finite"


class Watch:
    """Notes the first of many tensors that is not finite, and what came before it."""

    def __init__(self) -> None:
        self.step = 0
        """Control step of the rollout, from 0. Set it before each."""
        self.fault: Fault | None = None
        """The first culprit; None so far."""
        self.tensor = torch.empty(0)
        """What it was found in."""
        self._last = START

    def __call__(self, name: str, value: Tensor) -> None:
        """Look at a tensor. Shape: (num_envs, ...). A bool tensor marks what is wrong."""
        if self.fault is not None:
            return
        wrong = not_finite(value)
        if bool(wrong.any()):
            self.tensor = value.clone()
            rule = "must not happen" if value.dtype == torch.bool else FINITE
            self.fault = Fault(
                phase="rollout",
                tensor=name,
                value=float(value[wrong].flatten()[0]),
                rule=rule,
                last_normal=self._last,
                step=self.step,
                environments=torch.nonzero(wrong.flatten(1).any(1) if wrong.dim() > 1 else wrong).flatten().tolist(),
            )
        self._last = f"{name} of step {self.step}"

    def give_up(self, rule: str, environments: Sequence[int]) -> None:
        """Note that the simulator stopped, and in which environments."""
        self.tensor = torch.tensor(environments)
        self.fault = Fault(
            "rollout", "simulator error", 1.0, rule, self._last, step=self.step, environments=list(environments)
        )


class UpdateGuard:
    """Checks what an update computes, in the order in which it does."""

    def __init__(self) -> None:
        self.mini_batch: int | None = None
        """Mini-batch, counted over the passes from 0. Set it before each."""
        self._last = "the rollout"

    def by_environment(self, tensors: Sequence[tuple[str, Tensor]]) -> None:
        """Check columns of a rollout. Shape of each: (steps, num_envs, ...).

        Raises:
            FaultError: on the first value that is not finite.
        """
        for name, value in tensors:
            wrong = not_finite(value)
            if bool(wrong.any()):
                rows = wrong.flatten(2).any(2) if wrong.dim() > 2 else wrong
                steps, environments = torch.nonzero(rows, as_tuple=True)
                first = int(steps.min())
                affected = sorted(set(environments[steps == first].tolist()))
                self._fail(name, value, wrong, FINITE, step=first, environments=affected)
            self._last = name

    def finite(self, tensors: Sequence[tuple[str, Tensor]]) -> None:
        """Check tensors that belong to no environment. There may be none: without a normaliser it has no statistics.

        Raises:
            FaultError: on the first value that is not finite.
        """
        if not tensors:
            return
        # All at once first: a GPU waits once.
        if not bool(all_finite(value for _, value in tensors)):
            for name, value in tensors:
                if bool((wrong := not_finite(value)).any()):
                    self._fail(name, value, wrong, FINITE)
                self._last = self._place(name)
        self._last = self._place(tensors[-1][0])

    def within(self, name: str, value: Tensor, low: float, high: float) -> None:
        """Check that a standard deviation lies strictly between its bounds.

        On a bound it is clamped, its gradient is exactly 0, and it never moves again.

        Raises:
            FaultError: if it does not.
        """
        wrong = ~((value > low) & (value < high))
        if bool(wrong.any()):
            self._fail(name, value, wrong, f"must lie between {low:g} and {high:g}, where its gradient is not 0")
        self._last = self._place(name)

    def _place(self, name: str) -> str:
        return name if self.mini_batch is None else f"{name} of mini-batch {self.mini_batch}"

    def _fail(self, name: str, value: Tensor, wrong: Tensor, rule: str, **where: Any) -> None:
        first = value[wrong].flatten()[0].item()
        fault = Fault("update", name, first, rule, self._last, mini_batch=self.mini_batch, **where)
        raise FaultError(fault, {name: value.detach().clone()})


def not_finite(value: Tensor) -> Tensor:
    """Where a tensor is not finite; of a bool tensor, where it is true. Shape: as `value`."""
    return value if value.dtype == torch.bool else ~torch.isfinite(value)


def all_finite(tensors: Iterable[Tensor]) -> Tensor:
    """Whether every value is finite. A scalar tensor, so that a GPU need not wait. At least one tensor is needed."""
    return torch.stack([torch.isfinite(tensor).all() for tensor in tensors]).all()


def clone_tree(data: Any) -> Any:
    """A copy of nested dicts and lists whose tensors share no memory with the original."""
    if isinstance(data, Tensor):
        return data.detach().clone()
    if isinstance(data, dict):
        return {name: clone_tree(value) for name, value in data.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(data, list):
        return [clone_tree(value) for value in data]  # pyright: ignore[reportUnknownVariableType]
    return data
