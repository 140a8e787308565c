"""Walks a config: every value with its dotted path, its default and its meaning."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from genelab.config.base import Cfg, Choice, meaning_of


class Leaf(NamedTuple):
    """One value of a config that has no parts of its own."""

    path: str
    """Dotted path through models and mappings."""
    value: JsonValue
    """The value as JSON."""
    required: bool
    """Whether the config has to give it, because the field has no default."""
    default: JsonValue
    """Default as JSON; null if required."""
    meaning: str
    """What the field holds, with its unit. An entry of a mapping has the meaning of the mapping."""


def by_pattern(value: Any) -> bool:
    """Whether a mapping has keys that no dotted path can hold, so that it is given as a whole."""
    return isinstance(value, dict) and any("." in key for key in value)  # pyright: ignore[reportUnknownVariableType]


def leaves(cfg: Cfg, prefix: str = "") -> Iterator[Leaf]:
    """Every value of a config, in field order."""
    for name, field in type(cfg).model_fields.items():
        yield from _walk(getattr(cfg, name), f"{prefix}{name}", field, meaning_of(type(cfg), name), entry=False)


def _walk(value: Any, path: str, field: FieldInfo, meaning: str, entry: bool) -> Iterator[Leaf]:
    if isinstance(value, Choice):
        told = f"Has no default, must be chosen with --set ({value.kind}): {value.what}."
        yield Leaf(path=path, value=value.value, required=True, default=None, meaning=told)
    elif isinstance(value, Cfg):
        yield from leaves(value, f"{path}.")
    elif isinstance(value, dict) and value and not by_pattern(value):
        for key, item in value.items():
            yield from _walk(item, f"{path}.{key}", field, meaning, entry=True)
    else:
        # A default belongs to the whole field, so an entry of a mapping has none.
        required = entry or field.is_required()
        default = None if required else to_jsonable_python(field.get_default(call_default_factory=False))
        yield Leaf(
            path=path,
            value=to_jsonable_python(value),
            required=required,
            default=default,
            meaning=meaning,
        )
