"""The base of every config model, and the reference types that configs hold instead of code."""

import ast
import functools
import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from genelab.errors import InputError


class Cfg(BaseModel):
    """A frozen config: unknown fields, NaN and infinity are errors, and a field's docstring is its documentation."""

    # Not use_attribute_docstrings: it reads every class again whenever one is imported, see `meaning_of`.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def meaning_of(model: type[BaseModel], field: str) -> str:
    """The docstring of a field: what it holds, with its unit; empty if it has none."""
    homes = (_docstrings(home.__module__).get((home.__name__, field)) for home in model.__mro__[:-2])
    return next(filter(None, homes), "")


@functools.cache
def _docstrings(module: str) -> dict[tuple[str, str], str]:
    """The docstrings of the fields of a module's classes, by class and field."""
    found: dict[tuple[str, str], str] = {}
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    for home in (statement for statement in tree.body if isinstance(statement, ast.ClassDef)):
        for field, below in pairwise(home.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[home.name, name] = inspect.cleandoc(text)
                case _:
                    pass
    return found


FuncRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""A function as `module:name`. A string, so that a snapshot round-trips and listing tasks imports no torch."""

_ASSET = r"^[A-Za-z_][\w.]*:[\w][\w./-]*$"
AssetRef = Annotated[str, StringConstraints(pattern=_ASSET)]
"""A file shipped in a package as `package:relative/path`."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed. NumPy's generators take no larger one."""

LARGEST_FLOAT = 1e150
"""Largest number in a config or a record: sums of its squares stay within a float, so that no statistic overflows."""

TAG = ":"
"""First letter of the tag of a model among several that a field may hold. It is no part of a path."""


KindField = Literal["kind", "algorithm"]
"""Name of the field that tells models apart which one config field may hold. A digest always has it in."""


def one_of(field: KindField) -> Discriminator:
    """Tells models apart that a config field may hold.

    Args:
        field: the literal field of each that says which it is; its tag is that value after `TAG`.
    """

    def tag(value: Any) -> str:
        found = value.get(field, "") if isinstance(value, dict) else getattr(value, field, "")
        return f"{TAG}{found}"

    # Messages about a wrong one name the function; see `first_problem`.
    tag.__name__ = field
    return Discriminator(tag)


BROKEN_RULE = "broken_rule"
"""Error type of a rule over several fields: its message already names field, value and rule."""


def broken_rule(field: str, value: object, rule: str) -> PydanticCustomError:
    """The error to raise in a model's validator.

    Args:
        field: dotted path from that model. `first_problem` puts the model's own path in front.
    """
    return PydanticCustomError(
        BROKEN_RULE, "{field} = {value}: {rule}", {"field": field, "value": repr(value), "rule": rule}
    )


LOW_TO_HIGH = "must be [low, high] with low not above high"


def low_to_high(bounds: tuple[float, float]) -> tuple[float, float]:
    """Validate a pair of bounds that may be equal."""
    if bounds[0] > bounds[1]:
        raise ValueError(LOW_TO_HIGH)
    return bounds


def rising(bounds: tuple[float, float]) -> tuple[float, float]:
    """Validate a pair of bounds that may not be equal."""
    if bounds[0] >= bounds[1]:
        raise ValueError("must be [low, high] with low below high")
    return bounds


def known_names(field: str, value: object, names: Sequence[object], kind: str, known: Iterable[str]) -> None:
    """Check names against those that exist.

    Args:
        field: dotted path, for the message.
        value: the whole value of the field, for the message.
        names: what to check.
        kind: what they name.
        known: what exists.

    Raises:
        PydanticCustomError: if one does not.
    """
    unknown = [name for name in names if name not in tuple(known)]
    if unknown:
        raise broken_rule(field, value, f"unknown {kind} {unknown[0]!r}; known: {', '.join(known) or 'none'}")


class Choice(Cfg):
    """A value without a sensible default, such as a motion clip or a demonstration file: the user must give it.

    Stands in a task wherever a config field is declared as one, or as a term's parameter.
    """

    what: str = Field(min_length=1)
    """What to choose, in a few words, with the unit of a number."""
    kind: Literal["file", "number", "string"]
    """What the value is."""
    variable: str | None = None
    """Environment variable that gives it where the command line does not; null for none."""
    value: int | float | str | None = None
    """What was chosen; null in a registered task. A file is a path, or, if none is there, `package:relative/path`."""
    sha256: Sha256 | None = None
    """Digest of a chosen file: its name alone says nothing about what was trained on."""

    @model_validator(mode="after")
    def _value_is_of_its_kind(self) -> Self:
        if self.value is not None and isinstance(self.value, str) == (self.kind == "number"):
            raise broken_rule("value", self.value, f"must be a {self.kind}")
        if (self.sha256 is not None) != (self.kind == "file" and self.value is not None):
            raise broken_rule("sha256", self.sha256, "must be given exactly with a chosen file")
        return self

    def choose(self, value: object) -> "Choice":
        """The same choice, made. Reads a file.

        Raises:
            InputError: if the value is of another kind, or there is no such file.
        """
        if type(value) not in ((int, float) if self.kind == "number" else (str,)) or value == "":
            raise InputError(f"= {value!r}: must be a {self.kind} ({self.what})")
        sha256 = _digest(_file(value), self.what) if isinstance(value, str) and self.kind == "file" else None
        return Choice.model_validate({**self.model_dump(), "value": value, "sha256": sha256})

    def resolve(self) -> int | float | str | Path:
        """The chosen value; the path of a file whose content is still what was chosen.

        Raises:
            InputError: if nothing was chosen, or the file is gone or was changed.
        """
        if self.value is None:
            variable = f" or {self.variable}" if self.variable else ""
            raise InputError(f"must be chosen with --set{variable} ({self.kind}: {self.what})")
        if self.kind != "file":
            return self.value
        path = _file(str(self.value))
        if (found := _digest(path, self.what)) != self.sha256:
            raise InputError(f"= {self.value!r}: the file was changed since it was chosen: {self.sha256} -> {found}")
        return path


Param = bool | int | float | str | list[float] | list[str] | list[list[float]] | dict[str, float] | Choice | None
"""What a term parameter may be: plain JSON, numbers by name pattern, or a choice, in whose place the function gets what
was chosen."""


def is_asset(value: str) -> bool:
    """Whether a chosen file is one of a package. A path may hold a colon, too."""
    return bool(re.search(_ASSET, value)) and not Path(value).is_file()


def _file(value: str) -> Path:
    return resolve_asset(value) if is_asset(value) else Path(value)


def _digest(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"= '{path}': cannot read this file ({what}): {error.strerror}") from error


def resolve_asset(ref: str) -> Path:
    """Return the path of a file shipped in a package. The package is looked up and not imported: that would run it.

    Raises:
        InputError: if there is no such package on the module search path, or it does not hold the file.
    """
    package, _, relative = ref.partition(":")
    # Of the outermost package alone; to find an inner one, Python would import those around it.
    outer, *inner = package.split(".")
    try:
        spec = importlib.util.find_spec(outer)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"asset reference '{ref}': there is no package '{outer}'")
    for location in spec.submodule_search_locations:
        path = Path(location, *inner, relative)
        if path.is_file():
            return path
    raise InputError(f"asset reference '{ref}': package '{package}' holds no file '{relative}'")
