"""Changes of single values from the command line: `env.rewards.alive.weight=2.0`."""

import difflib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue, ValidationError

from genelab.config.base import LARGEST_FLOAT, Cfg, Choice
from genelab.config.choices import choices, same_choice
from genelab.config.fields import Leaf, by_pattern, leaves
from genelab.config.snapshot import dump, first_problem, one_line
from genelab.config.task import TaskSpec
from genelab.errors import InputError

PARTS = ("env", "agent", "train", "start", "stages", "protocol", "probe")
"""Parts of a task that may change. The rest says which task it is."""

STAGES = "stages"
"""May be [] as a whole: the task without the stages before it. A record has their names in place of all they hold."""

SMALLEST_EXPONENT = sys.float_info.min_10_exp
"""Smallest power of ten that a float holds in full."""

EXACT = 2**53
"""Largest whole number up to which floats hold all of them."""

KINDS = {bool: "boolean", int: "whole number", float: "number", str: "string", list: "list", dict: "mapping"}


class Override(Cfg):
    """One changed value."""

    path: str
    """Dotted path in the task."""
    old: JsonValue
    """Value in the registry, as JSON."""
    new: JsonValue
    """Value asked for, as JSON, after validation."""

    @property
    def effective(self) -> bool:
        """Whether it changes anything."""
        return self.old != self.new


def apply_overrides(
    task: TaskSpec,
    assignments: Sequence[str],
    options: Mapping[str, tuple[str, JsonValue]] | None = None,
    *,
    setter: str = "--set",
) -> tuple[TaskSpec, list[Override]]:
    """Apply `path=value` assignments and validate the whole task again.

    Args:
        assignments: of --set; a value is JSON if it parses as JSON, and else a string.
        options: other options of the command that set a value of the task, by name: the path and the value.
        setter: the option that the assignments belong to, for messages.

    Returns:
        The new task, and every override in the order given, those without effect included.

    Raises:
        InputError: on an unknown path (names the nearest), a path given twice (names both options), a value of the
            wrong type or range or that no snapshot could hold, or a file to be chosen that cannot be read.
    """
    parsed = [(setter, *parse(assignment, setter)) for assignment in assignments]
    for option, (path, value) in (options or {}).items():
        if rule := _rule_against(value):
            raise InputError(one_line(f"{option} {path} = {value!r}: {rule}"))
        parsed.append((option, path, value))
    old, data, open_ = dump(task), dump(task), dict(choices(task))
    given: dict[str, str] = {}
    for option, path, value in parsed:
        if path in given:
            also = "given twice" if given[path] == option else f"given by {option} too"
            raise InputError(f"{given[path]} {path}: {also}")
        given[path] = option
        if path == STAGES and value == []:
            data[path] = {}
            continue
        told = f"{option} {path}"
        parent, key = _locate(task, data, told, path, open_)
        if path in open_:
            parent[key] = _chosen(option, path, open_[path], value)
        else:
            parent[key] = _as_parameter(told, parent[key], value) if path.split(".")[-2] == "params" else value
    for path in open_:
        own = _of_the_task(path, open_)
        if own is not None and path not in given and data[STAGES]:
            # What the task chooses holds for its stages.
            (parent, key), (source, name) = (_locate(task, data, path, each, open_) for each in (path, own))
            parent[key] = source[name]
    try:
        # Strict JSON: "64" is no integer and true no number, but 2 is a float and a list a tuple.
        changed = TaskSpec.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        problem = first_problem(error)
        by = next((option for path, option in given.items() if problem.startswith((f"{path} ", f"{path}."))), setter)
        raise InputError(f"{by} {problem}") from error
    new = dump(changed)
    return changed, [
        Override(path=path, old=_value_at(old, path, open_), new=_value_at(new, path, open_)) for path in given
    ]


def from_environment(
    task: TaskSpec,
    assignments: Sequence[str],
    environment: Mapping[str, str],
    options: Mapping[str, tuple[str, JsonValue]] | None = None,
) -> dict[str, tuple[str, JsonValue]]:
    """Values that environment variables give to the choices of a task, as `options` of `apply_overrides`.

    Args:
        assignments: of --set. One that chooses the same is left to stand.
        options: other overrides, by name: the path and the value. Likewise.

    Raises:
        InputError: if one of them and a variable choose differently.
    """
    said = [("--set", *parse(assignment)) for assignment in assignments]
    said += [(name, path, value) for name, (path, value) in (options or {}).items()]
    given = {path: (name, value) for name, path, value in said}
    open_ = dict(choices(task))
    found: dict[str, tuple[str, JsonValue]] = {}
    for path, choice in open_.items():
        value = environment.get(choice.variable) if choice.variable else None
        if value and path not in given:
            if _of_the_task(path, open_) is None:
                found[str(choice.variable)] = path, value
        elif value and not same_choice(choice, given[path][1], value):
            name, other = given[path]
            raise InputError(f"{name} {path} = {other!r}: {choice.variable} says {value!r}; give one of them")
    return found


def _of_the_task(path: str, open_: Mapping[str, Choice]) -> str | None:
    """Path of the same choice of the task itself, for a choice of a stage; None for others."""
    own = path.split(".", 2)[2] if path.startswith(f"{STAGES}.") else None
    return own if own in open_ else None


def parse(assignment: str, setter: str = "--set") -> tuple[str, JsonValue]:
    """Path and value of a `path=value`. setter: for messages. Raises InputError if it is none."""
    path, equals, text = assignment.partition("=")
    path = path.strip()
    if not equals or not path:
        raise InputError(f"{setter} '{assignment}': must be path=value")

    def number(digits: str) -> float:
        if _vanishes(digits):
            rule = f"a number other than 0 must be at least 1e{SMALLEST_EXPONENT} in size, or it may be cut to 0"
            raise InputError(one_line(f"{setter} {path}={text}: {rule}"))
        return float(digits)

    try:
        value = json.loads(text, parse_float=number)
    except ValueError:
        value = text
    except RecursionError as error:
        raise InputError(f"{setter} {path}: is nested too deeply") from error
    if rule := _rule_against(value):
        raise InputError(one_line(f"{setter} {path}={text}: {rule}"))
    return path, value


def _vanishes(digits: str) -> bool:
    """Whether a decimal number is not 0, but too small for a float to hold in full.

    By its digits: where a library has switched such floats off, the processor takes them for 0.
    """
    mantissa, _, exponent = digits.lower().lstrip("-").partition("e")
    whole, _, fraction = mantissa.lstrip("0").partition(".")
    if not (whole + fraction).strip("0"):
        return False
    first = len(whole) - 1 if whole else len(fraction.lstrip("0")) - len(fraction) - 1
    return first + int(exponent or 0) < SMALLEST_EXPONENT


def _rule_against(value: JsonValue) -> str | None:
    """Why a value, or one inside it, could not be read again from a snapshot or record; None if it can."""
    if isinstance(value, dict):
        return next(filter(None, map(_rule_against, [*value, *value.values()])), None)
    if isinstance(value, list):
        return next(filter(None, map(_rule_against, value)), None)
    if isinstance(value, str):
        return None if _is_text(value) else "must be text that UTF-8 can hold"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, float) and abs(value) > LARGEST_FLOAT:
        return f"a number must lie within ±{LARGEST_FLOAT:g}"
    if isinstance(value, int) and abs(value) > EXACT:
        return "a whole number must lie within ±2^53, where a float holds it exactly"
    return None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _locate(
    task: TaskSpec, data: dict[str, Any], told: str, path: str, open_: Mapping[str, Choice]
) -> tuple[dict[str, Any], str]:
    """The mapping that holds the value at a path, and its key there. `told` is what messages call it."""
    around = next((choice for choice in open_ if path.startswith(f"{choice}.")), None)
    if around:
        raise InputError(f"{told}: is a part of what you choose; set {around}")
    *parents, key = path.split(".")
    node: Any = data
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    if not isinstance(node, dict) or key not in node:
        nearest = difflib.get_close_matches(
            path, [leaf.path for leaf in leaves(task) if may_change(leaf)], n=3, cutoff=0.0
        )
        raise InputError(f"{told}: unknown path; nearest: {', '.join(nearest)}")
    if isinstance(node[key], dict) and not by_pattern(node[key]) and path not in open_:
        raise InputError(f"{told}: holds several values ({', '.join(node[key]) or 'none'}); set one of them")
    if not path.startswith(tuple(f"{part}." for part in PARTS)):
        raise InputError(f"{told}: says which task it is; only {', '.join(PARTS)} can change")
    return node, key


def may_change(leaf: Leaf) -> bool:
    """Whether a value of a task can be set."""
    # Nothing can be put into a mapping that is empty.
    return leaf.path.startswith(tuple(f"{part}." for part in PARTS)) and leaf.value != {}


def _as_parameter(told: str, old: JsonValue, new: JsonValue) -> JsonValue:
    """A function's parameter keeps its kind, because the config does not know the function's types."""
    if isinstance(old, float) and type(new) is int:
        return float(new)
    if isinstance(old, list) and isinstance(new, list) and old:
        return [_as_parameter(told, old[0], item) for item in new]
    if old is not None and type(new) is not type(old):
        raise InputError(f"{told} = {new!r}: must be a {KINDS[type(old)]}")
    return new


def _chosen(option: str, path: str, choice: Choice, value: JsonValue) -> dict[str, Any]:
    try:
        return dump(choice.choose(value))
    except InputError as error:
        raise InputError(f"{option} {path} {error}") from error


def _value_at(data: dict[str, Any], path: str, open_: Mapping[str, Choice]) -> Any:
    node: Any = data
    for key in path.split("."):
        node = node[key]
    if path == STAGES:
        return list(node)
    return node["value"] if path in open_ else node
