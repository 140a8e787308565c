"""The choices of a task: what the user must give, since it has no default."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genelab.config.base import Cfg, Choice, is_asset
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


def chosen_files(task: TaskSpec) -> dict[str, Path]:
    """Chosen files that lie outside packages, by the name under which a run keeps a copy: digest and ending."""
    files = [(choice, Path(str(choice.value))) for _, choice in choices(task) if choice.sha256]
    return {f"{choice.sha256}{path.suffix}": path for choice, path in files if path.is_file()}


def found_again(task: TaskSpec, kept: Path) -> TaskSpec:
    """A task whose chosen files are taken from where they are.

    That is the folder of copies, else the place that was recorded, else where the choice's environment variable points
    to. The digest of a file is compared when it is read.
    """
    places: dict[str, str] = {}
    for path, choice in choices(task):
        copy = kept / f"{choice.sha256}{Path(str(choice.value)).suffix}"
        elsewhere = os.environ.get(choice.variable) if choice.variable else None
        if choice.sha256 and copy.is_file():
            places[path] = str(copy)
        elif choice.sha256 and elsewhere and not Path(str(choice.value)).is_file() and not is_asset(str(choice.value)):
            places[path] = elsewhere
    return _replaced(task, places) if places else task


def with_choices_of(task: TaskSpec, made: TaskSpec) -> TaskSpec:
    """A task with the choices of another one that asks for the same, where it has them. Reads no file."""
    known, data = dict(choices(made)), dump(task)
    for path, choice in choices(task):
        other = known.get(path)
        if other and (other.what, other.kind) == (choice.what, choice.kind):
            _set(data, path, dump(other))
    return TaskSpec.model_validate(data)


def _replaced(task: TaskSpec, places: dict[str, str]) -> TaskSpec:
    data = dump(task)
    for path, place in places.items():
        _set(data, f"{path}.value", place)
    return TaskSpec.model_validate(data)


def _set(data: Any, path: str, value: Any) -> None:
    *parents, key = path.split(".")
    for parent in parents:
        data = data[parent]
    data[key] = value


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
