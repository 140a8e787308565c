"""Canonical JSON, hashes, and the exact snapshot of a task that a run keeps beside its checkpoints."""

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from genelab.config.base import BROKEN_RULE, TAG, Cfg, Choice, KindField
from genelab.config.task import TaskSpec
from genelab.errors import FileError

MAX_MESSAGE = 1000
"""Longest message about what a file holds, characters."""

CONFIG_VERSION = 2
"""Rises when a default changes, or what a field means: digests of before then stand for other configs."""

_KINDS = get_args(KindField)


def canonical_json(value: Any) -> str:
    """Serialise plain JSON data to one line. Key order is kept: the order of terms is part of their meaning."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of plain data."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def dump(cfg: Cfg) -> dict[str, Any]:
    """Plain JSON data of a config, in field order."""
    return cfg.model_dump(mode="json")


def dump_task(task: TaskSpec) -> dict[str, Any]:
    """Snapshot of a task as `{"task": ..., "env": ..., "agent": ...}`, such that `load_task(dump_task(t)) == t`."""
    data = dump(task)
    env, agent = data.pop("env"), data.pop("agent")
    return {"task": data, "env": env, "agent": agent}


def config_sha256(task: TaskSpec) -> str:
    """SHA-256 of what a task says beyond the defaults, so that a new field with a default changes no digest.

    Of a chosen file its digest counts, and not where it lies.
    """
    return sha256_json({"version": CONFIG_VERSION, "task": _beyond_defaults(task)})


def _beyond_defaults(value: Any) -> Any:
    if isinstance(value, Cfg):
        fields = type(value).model_fields
        kept = {name: item for name, item in value if name in _KINDS or item != fields[name].default}
        if isinstance(value, Choice) and value.sha256 is not None:
            del kept["value"]
        return {name: _beyond_defaults(item) for name, item in kept.items()}
    if isinstance(value, dict):
        return {key: _beyond_defaults(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, tuple | list):
        return [_beyond_defaults(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def load_task(snapshot: dict[str, Any], source: str | Path) -> TaskSpec:
    """Restore a task from its snapshot.

    Raises:
        FileError: if the data is no valid task; names `source`, the field, the value and the rule.
    """
    try:
        data = json.dumps({**snapshot["task"], "env": snapshot["env"], "agent": snapshot["agent"]})
        return TaskSpec.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise FileError(source, first_problem(error)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise FileError(source, f"is no snapshot: {one_line(str(error))}") from error


def first_problem(error: ValidationError) -> str:
    """One line on the first problem of a validation error: path, value and rule."""
    problem = error.errors(include_url=False)[0]
    if not problem["loc"]:
        # A rule over the whole model: its input is the whole document.
        return one_line(problem["msg"])
    path = ".".join(str(part) for part in problem["loc"] if not str(part).startswith(TAG))
    if problem["type"] == "union_tag_invalid":
        told = problem.get("ctx", {})
        field, value = told["discriminator"].removesuffix("()"), told["tag"].removeprefix(TAG)
        return one_line(f"{path}.{field} = {value!r}: must be one of {told['expected_tags'].replace(TAG, '')}")
    if problem["type"] == BROKEN_RULE:
        return one_line(f"{path}.{problem['msg']}")
    if problem["type"] == "missing":
        return one_line(f"{path}: must be given, which it is not in {problem['input']!r}")
    return one_line(f"{path} = {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}")


def one_line(text: str, longest: int = MAX_MESSAGE) -> str:
    """Text as one printable line of bounded length, whatever a file had in it."""
    plain = "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)
    joined = " ".join(plain.split())
    return joined if len(joined) <= longest else f"{joined[: longest - 4]} ..."


def differences(old: Any, new: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Leaves at which two snapshots differ, as (path, old, new). A missing side reads None."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        found = [d for key in keys for d in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)]
        if not found and list(old) != list(new):
            return [(f"{path} (order)", list(old), list(new))]
        return found
    return [] if old == new else [(path, old, new)]
