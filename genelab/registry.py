"""The registered tasks: static metadata from the `genelab.tasks` entry points, without torch or genesis."""

import difflib
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from pydantic import ValidationError

from genelab.config.choices import refuse_made
from genelab.config.snapshot import first_problem
from genelab.config.task import TaskSpec
from genelab.errors import InputError

GROUP = "genelab.tasks"
"""Entry point group. Each entry point names a function without arguments that calls `register_task`."""

_log = logging.getLogger(__name__)
_tasks: dict[str, TaskSpec] = {}
_variants: dict[tuple[str, str], TaskSpec] = {}


@dataclass(frozen=True)
class BrokenEntryPoint:
    """An entry point that registers nothing, and why."""

    name: str
    """Name of the entry point."""
    distribution: str
    """Installed distribution that declares it."""
    error: str
    """One line on what it raised."""

    def __str__(self) -> str:
        return f"entry point '{self.name}' of distribution '{self.distribution}': {self.error}"


def register_task(spec: TaskSpec, variants: Sequence[TaskSpec] = ()) -> None:
    """Add a task to the registry.

    Args:
        spec: the task.
        variants: the task learnt otherwise (`agent`, `train`, `start`, `stages`, `env.sim.engine`), each
            under a name of its own.

    Raises:
        InputError: if a task of that identifier is registered already, the task makes a choice that is the caller's,
            or a variant is another task.
    """
    if spec.variant is not None:
        raise InputError(f"task '{spec.id}': variant = '{spec.variant}': must be null for the task itself")
    for variant in variants:
        _check_variant(spec, variant)
    for each in (spec, *variants):
        refuse_made(each)
    if spec.id in _tasks:
        raise InputError(f"task '{spec.id}' is registered twice, by '{_tasks[spec.id].package}' and '{spec.package}'")
    _tasks[spec.id] = spec.model_copy(deep=True)
    for variant in variants:
        _variants[spec.id, str(variant.variant)] = variant.model_copy(deep=True)


def _check_variant(task: TaskSpec, variant: TaskSpec) -> None:
    if variant.variant is None:
        raise InputError(f"task '{task.id}': variant = null: a variant needs a name")
    own = {"variant": None, "agent": task.agent, "train": task.train, "start": task.start}
    own |= {"stages": task.stages}
    if variant.on(task.env.sim.engine).model_copy(update=own) != task:
        rule = "may differ from the task in agent, train, start, stages and env.sim.engine alone"
        raise InputError(f"task '{task.id}': variant = '{variant.variant}': {rule}")


def variants_of(task_id: str) -> list[str]:
    """Names of the variants of a task, sorted."""
    broken_entry_points()
    return sorted(name for known, name in _variants if known == task_id)


def get_task(task_id: str, variant: str | None = None) -> TaskSpec:
    """A copy of a registered task, or of a variant. Broken entry points are logged as warnings, once per process.

    Args:
        task_id: its identifier, in any letter case.
        variant: name of the variant; None for the task itself.

    Raises:
        InputError: if there is no such task or variant; names the nearest, and the entry points that could have held
            it.
    """
    broken = broken_entry_points()
    if task_id not in _tasks:
        task_id = next((known for known in _tasks if known.casefold() == task_id.casefold()), task_id)
    if task_id not in _tasks:
        nearest = difflib.get_close_matches(task_id, _tasks, n=3, cutoff=0.5)
        hint = f"nearest: {', '.join(nearest)}" if nearest else "`genelab list` shows the registered ones"
        raise InputError("; ".join([f"unknown task '{task_id}', {hint}", *map(str, broken)]))
    _warn(broken)
    if variant is None:
        return _tasks[task_id].model_copy(deep=True)
    if (task_id, variant) not in _variants:
        known = ", ".join(variants_of(task_id)) or "none"
        raise InputError(f"task '{task_id}' has no variant '{variant}'; it has: {known}")
    return _variants[task_id, variant].model_copy(deep=True)


def task_ids() -> list[str]:
    """Identifiers of the healthy tasks, sorted."""
    broken_entry_points()
    return sorted(_tasks)


def all_tasks() -> list[TaskSpec]:
    """Copies of the healthy tasks, sorted by identifier."""
    return [_tasks[task_id].model_copy(deep=True) for task_id in task_ids()]


@functools.cache
def broken_entry_points() -> tuple[BrokenEntryPoint, ...]:
    """Run every entry point, once per process, and return those that failed."""
    found = sorted(entry_points(group=GROUP), key=lambda e: (e.dist.name if e.dist else "", e.name))
    return tuple(broken for entry_point in found if (broken := _load(entry_point)) is not None)


def _load(entry_point: EntryPoint) -> BrokenEntryPoint | None:
    """Register the tasks of one entry point: all of them, or none and the reason."""
    before, variants_before = dict(_tasks), dict(_variants)
    try:
        entry_point.load()()
    # Code of third parties may raise anything; whatever it is reaches the user as a message.
    except Exception as error:  # noqa: BLE001
        _tasks.clear()
        _tasks.update(before)
        _variants.clear()
        _variants.update(variants_before)
        distribution = entry_point.dist.name if entry_point.dist else "unknown"
        return BrokenEntryPoint(entry_point.name, distribution, _one_line(error))
    return None


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"{error.title}: {first_problem(error)}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@functools.cache
def _warn(broken: tuple[BrokenEntryPoint, ...]) -> None:
    for each in broken:
        _log.warning("warning: %s", each)
