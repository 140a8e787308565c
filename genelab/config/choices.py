"""The choices of a task: what whoever trains must give, since it has no default."""

from collections.abc import Iterator
from typing import Any

from genelab.config.base import Cfg, Choice
from genelab.config.snapshot import dump
from genelab.config.task import TaskSpec
from genelab.errors import InputError


def choices(cfg: Cfg, prefix: str = "") -> Iterator[tuple[str, Choice]]:
    """Every choice in a config with its dotted path, made or not."""
    for name in type(cfg).model_fields:
        yield from _walk(getattr(cfg, name), f"{prefix}{name}")


def require_made(task: TaskSpec) -> None:
    """Check that every choice of a task is made.

    Raises:
        InputError: if one is not; names the path and the kind of each.
    """
    missing = [_how(path, choice) for path, choice in choices(task) if choice.value is None]
    if missing:
        raise InputError(f"task '{task.id}' leaves to you what has no default; give {'; '.join(missing)}")


def refuse_made(task: TaskSpec) -> None:
    """Check that a task to be registered makes no choice itself: it would be a default.

    Raises:
        InputError: if it does; names the path.
    """
    for path, choice in choices(task):
        if choice.value is not None:
            raise InputError(f"task '{task.id}': {path} = {choice.value!r}: a choice has no default")


def same_choice(choice: Choice, one: object, other: object) -> bool:
    """Whether two values choose the same: of a file its content counts. Reads files; False if one cannot be read."""
    if one == other or choice.kind != "file":
        return one == other
    try:
        return choice.choose(one).sha256 == choice.choose(other).sha256
    except InputError:
        return False


def with_choices_of(task: TaskSpec, made: TaskSpec) -> TaskSpec:
    """A task with the choices of another one that asks for the same, where it has them. Reads no file."""
    known, data = dict(choices(made)), dump(task)
    for path, choice in choices(task):
        other = known.get(path)
        if other and (other.what, other.kind) == (choice.what, choice.kind):
            *parents, key = path.split(".")
            node: Any = data
            for parent in parents:
                node = node[parent]
            node[key] = dump(other)
    return TaskSpec.model_validate(data)


def _how(path: str, choice: Choice) -> str:
    variable = f" or {choice.variable}={choice.kind.upper()}" if choice.variable else ""
    return f"--set {path}={choice.kind.upper()}{variable} ({choice.what})"


def _walk(value: Any, path: str) -> Iterator[tuple[str, Choice]]:
    if isinstance(value, Choice):
        yield path, value
    elif isinstance(value, Cfg):
        yield from choices(value, f"{path}.")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{path}.{key}")
