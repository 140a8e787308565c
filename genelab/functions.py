"""Resolves the `module:name` references of a config, within the packages that may hold functions of a task.

A snapshot may come from a stranger, and its references say which code runs with which arguments. So they lead nowhere
but into genelab's own terms, into installed task packages, and where the running program itself allowed it.
"""

import functools
import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from genelab.errors import InputError
from genelab.registry import GROUP, broken_entry_points

OWN = ("genelab.mdp", "genelab.families")
"""Packages of genelab's own terms."""

_allowed: set[str] = set()
_controls: dict[Callable[..., Any], str] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def allow_functions_of(package: str) -> None:
    """Let references lead into a package that declares no entry point in `genelab.tasks`, in this process.

    For a program that uses genelab, and for the `register` function of a task package whose terms lie in another one.
    No file and no variable does the same: whoever hands over a run directory could set them.

    Args:
        package: dotted name. What lies below it is allowed too.
    """
    _allowed.add(package)


def resolve_function(ref: str) -> Callable[..., Any]:
    """Import the function that a `module:name` reference names.

    Raises:
        InputError: if the module lies in no allowed package, in which case nothing is imported, cannot be imported, or
            defines no callable of that name; something that it merely imported from elsewhere is none of its own.
    """
    module_name, _, name = ref.partition(":")
    # A task package may allow another one when it registers.
    broken_entry_points()
    _require_allowed(ref, "module", module_name)
    try:
        function = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        raise InputError(f"function reference '{ref}': cannot import module '{module_name}' ({error})") from error
    if not callable(function):
        raise InputError(f"function reference '{ref}': module '{module_name}' has no function '{name}'")
    _require_allowed(ref, f"'{name}' of module", str(getattr(function, "__module__", None)))
    return function


def played_with(controls: str) -> Callable[[Function], Function]:
    """Declare what `genelab play` shows beside a task that has this command or part.

    No field of a config: a viewer changes no digest of what it looks at.

    Args:
        controls: `module:name` of a class as `genelab.play.controls.Controls` describes it.
    """

    def declare(function: Function) -> Function:
        _controls[function] = controls
        return function

    return declare


def controls_of(ref: str) -> Callable[..., Any] | None:
    """The class that `played_with` declares for a function; None for none. Raises InputError as `resolve_function`."""
    declared = _controls.get(resolve_function(ref))
    return None if declared is None else resolve_function(declared)


def _require_allowed(ref: str, what: str, module: str) -> None:
    packages = (*OWN, *_of_entry_points(), *sorted(_allowed))
    if not any(module == package or module.startswith(f"{package}.") for package in packages):
        rule = f"must lie in {' or '.join(OWN)}, or in a package with an entry point in '{GROUP}'"
        raise InputError(
            f"function reference '{ref}': {what} '{module}' {rule} ({', '.join(packages[len(OWN) :]) or 'none'})"
        )


@functools.cache
def _of_entry_points() -> tuple[str, ...]:
    """Top-level packages of the installed task packages. Their metadata alone is read."""
    return tuple(sorted({entry_point.module.partition(".")[0] for entry_point in entry_points(group=GROUP)}))
