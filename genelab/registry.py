"""The registered tasks: names, summaries and where each is made, from the `genelab.tasks` entry points.

Listing builds no task and imports neither pydantic nor torch, however many tasks there are.
"""

import difflib
import functools
import importlib
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from genelab.errors import GenelabError, InputError

if TYPE_CHECKING:
    from genelab.config.task import TaskSpec

GROUP = "genelab.tasks"
"""Entry point group. Each entry point names a function without arguments that calls `register_task`."""
OWN = "genelab"
"""Distribution whose tasks nobody else can take over."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Registered:
    """What is known of a task before it is built."""

    id: str
    """Identifier."""
    robot: str
    """The robot, as a table shows it."""
    summary: str
    """One line on what is to be learnt."""
    factory: "str | Callable[[], TaskSpec]"
    """Makes the task."""
    variants: "Mapping[str, str | Callable[[], TaskSpec]]" = field(default_factory=dict)
    """Make the variants, by name."""
    group: str | None = None
    """Name of the many tasks that it is one of, which `genelab list` shows in one line; None to list it by itself."""
    source: str = "this program"
    """Who registered it."""


@dataclass(frozen=True)
class Family:
    """Tasks that are not listed one by one: any identifier with this beginning is one of them."""

    prefix: str
    """How their identifiers begin."""
    robot: str
    """The robot, as a table shows it."""
    summary: str
    """One line on what is to be learnt."""
    factory: "str | Callable[[str], TaskSpec]"
    """Makes the task of an identifier."""
    example: str
    """Identifier of one of them."""
    source: str
    """Who registered it."""


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


_tasks: dict[str, Registered] = {}
_families: dict[str, Family] = {}
_source = Registered.source


def register_task(
    task_id: str,
    factory: "str | Callable[[], TaskSpec]",
    *,
    robot: str,
    summary: str,
    variants: "Mapping[str, str | Callable[[], TaskSpec]] | None" = None,
    group: str | None = None,
) -> None:
    """Add a task to the registry. It is built, and checked, when somebody asks for it.

    Args:
        task_id: identifier of the task.
        factory: function without arguments that returns the task; best as `module:name`, so that listing does not
            import the module.
        robot: the robot in a word or two.
        summary: one line on what is to be learnt. The task gets it from here.
        variants: the task learnt otherwise (`agent`, `train`, `start`, `stages`, `env.sim.engine`): a factory for each,
            by name.
        group: name of the many tasks that it is one of, for `genelab list`, and how their identifiers begin.

    Raises:
        InputError: if a task of that identifier is registered already.
    """
    if task_id in _tasks:
        raise InputError(f"task '{task_id}' is registered already, by {_tasks[task_id].source}")
    _tasks[task_id] = Registered(task_id, robot, summary, factory, dict(variants or {}), group, _source)


def register_family(
    prefix: str, factory: "str | Callable[[str], TaskSpec]", *, robot: str, summary: str, example: str
) -> None:
    """Add tasks that are made from their identifiers.

    Args:
        prefix: how their identifiers begin, in these letters.
        factory: function of an identifier that returns its task; best as `module:name`.
        robot: the robot in a word or two.
        summary: one line on what is to be learnt.
        example: identifier of one of them, for `genelab list`.

    Raises:
        InputError: if a family of that beginning is registered already.
    """
    if prefix in _families:
        raise InputError(f"tasks '{prefix}...' are registered already, by {_families[prefix].source}")
    _families[prefix] = Family(prefix, robot, summary, factory, example, _source)


def families() -> list[Family]:
    """Tasks that are made from their identifiers, sorted by how these begin."""
    broken_entry_points()
    return [_families[prefix] for prefix in sorted(_families)]


def registered_tasks() -> list[Registered]:
    """What is known of every task without building it, sorted by identifier."""
    broken_entry_points()
    return [_tasks[task_id] for task_id in sorted(_tasks)]


def task_ids() -> list[str]:
    """Identifiers of the registered tasks, sorted."""
    return [task.id for task in registered_tasks()]


def variants_of(task_id: str) -> list[str]:
    """Names of the variants of a task, sorted; none for a task that is not registered."""
    broken_entry_points()
    return sorted(_tasks[task_id].variants) if task_id in _tasks else []


def get_task(task_id: str, variant: str | None = None) -> "TaskSpec":
    """A copy of a registered task, or of a variant. Broken entry points are logged as warnings, once per process.

    Args:
        task_id: its identifier, in any letter case.
        variant: name of the variant; None for the task itself.

    Raises:
        InputError: if there is no such task or variant; names the nearest, and the entry points that could have held
            it. Also if the task cannot be built, makes a choice that is the caller's, or a variant is another task.
    """
    broken = broken_entry_points()
    if task_id not in _tasks:
        task_id = next((known for known in _tasks if known.casefold() == task_id.casefold()), task_id)
    entry = _tasks.get(task_id) or _of_family(task_id)
    if entry is None:
        nearest = difflib.get_close_matches(task_id, _tasks, n=3, cutoff=0.5)
        hint = f"nearest: {', '.join(nearest)}" if nearest else "`genelab list` shows the registered ones"
        raise InputError("; ".join([f"unknown task '{task_id}', {hint}", *map(str, broken)]))
    _warn(broken)
    if variant is not None and variant not in entry.variants:
        known = ", ".join(variants_of(task_id)) or "none"
        raise InputError(f"task '{task_id}' has no variant '{variant}'; it has: {known}")
    return _built(entry, variant).model_copy(deep=True)


def _of_family(task_id: str) -> Registered | None:
    """The task of a family that an identifier names; None if there is no such family."""
    family = next((family for prefix, family in _families.items() if task_id.startswith(prefix)), None)
    return None if family is None else _member(family, task_id)


@functools.cache
def _member(family: Family, task_id: str) -> Registered:
    made = functools.partial(_call, family.factory, task_id)
    return Registered(task_id, family.robot, family.summary, made, source=family.source)


def all_tasks() -> "list[TaskSpec]":
    """Copies of all tasks, built, sorted by identifier. Raises InputError as `get_task`."""
    return [get_task(task_id) for task_id in task_ids()]


@functools.cache
def _built(entry: Registered, variant: str | None) -> "TaskSpec":
    """Build a task, or a variant, and check that it is what was registered."""
    from genelab.config.choices import refuse_made

    spec = _made(entry, entry.factory if variant is None else entry.variants[variant])
    if spec.id != entry.id or spec.variant != variant:
        told = f"returns task '{spec.id}', variant {spec.variant!r}, and not '{entry.id}', variant {variant!r}"
        raise InputError(f"task '{entry.id}': {entry.source} {told}")
    if spec.summary not in ("", entry.summary):
        raise InputError(f"task '{entry.id}': summary = {spec.summary!r}: must be left to register_task")
    spec = spec.model_copy(update={"summary": entry.summary})
    refuse_made(spec)
    if variant is not None:
        _check_variant(_built(entry, None), spec)
    return spec


def _made(entry: Registered, factory: "str | Callable[[], TaskSpec]") -> "TaskSpec":
    try:
        with redirect_stdout(sys.stderr):
            return _call(factory)
    except GenelabError:
        raise
    # Code of third parties may raise anything; whatever it is reaches the user as a message.
    except Exception as error:
        raise InputError(f"task '{entry.id}' of {entry.source} cannot be built: {_one_line(error)}") from error


def _call(factory: "str | Callable[..., TaskSpec]", *args: str) -> "TaskSpec":
    if not isinstance(factory, str):
        return factory(*args)
    module, _, name = factory.partition(":")
    return getattr(importlib.import_module(module), name)(*args)


def _check_variant(task: "TaskSpec", variant: "TaskSpec") -> None:
    own = {"variant": None, "agent": task.agent, "train": task.train, "start": task.start}
    own |= {"stages": task.stages}
    if variant.on(task.env.engine).model_copy(update=own) != task:
        rule = "may differ from the task in agent, train, start, stages and env.sim.engine alone"
        raise InputError(f"task '{task.id}': variant = '{variant.variant}': {rule}")


@functools.cache
def broken_entry_points() -> tuple[BrokenEntryPoint, ...]:
    """Run every entry point, once per process, and return those that failed. Ours first, then by name."""
    found = sorted(entry_points(group=GROUP), key=lambda e: (_distribution(e) != OWN, _distribution(e), e.name))
    return tuple(broken for entry_point in found if (broken := _load(entry_point)) is not None)


@functools.cache  # Each answer is read from the metadata anew.
def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "unknown"


def _load(entry_point: EntryPoint) -> BrokenEntryPoint | None:
    """Register the tasks of one entry point: all of them, or none and the reason."""
    global _source
    before, _source = (dict(_tasks), dict(_families)), f"distribution '{_distribution(entry_point)}'"
    try:
        # What it prints is no answer of ours.
        with redirect_stdout(sys.stderr):
            entry_point.load()()
    # Code of third parties may raise anything; whatever it is reaches the user as a message.
    except Exception as error:  # noqa: BLE001
        for registered, earlier in zip((_tasks, _families), before, strict=True):
            registered.clear()
            registered.update(earlier)  # pyright: ignore[reportArgumentType, reportCallIssue]
        return BrokenEntryPoint(entry_point.name, _distribution(entry_point), _one_line(error))
    finally:
        _source = Registered.source
    return None


def _one_line(error: Exception) -> str:
    # Listing does not wait for pydantic, unless a task has imported it.
    if "pydantic" in sys.modules:
        from pydantic import ValidationError

        from genelab.config.snapshot import first_problem

        if isinstance(error, ValidationError):
            return f"{error.title}: {first_problem(error)}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@functools.cache
def _warn(broken: tuple[BrokenEntryPoint, ...]) -> None:
    for each in broken:
        _log.warning("warning: %s", each)
