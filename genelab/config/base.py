"""The base of every config model, and the reference types that configs hold instead of code."""

import importlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from genelab.errors import InputError


class Cfg(BaseModel):
    """A frozen config: unknown fields, NaN and infinity are errors, and a field's docstring is its documentation."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )


FuncRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""A function as `module:name`. A string, so that a snapshot round-trips and listing tasks imports no torch."""

AssetRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[\w][\w./-]*$")]
"""A file shipped in a package as `package:relative/path`."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed. NumPy's generators take no larger one."""

Param = bool | int | float | str | list[float] | list[str] | None
"""What a term parameter may be: plain JSON."""

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


def resolve_function(ref: str) -> Callable[..., Any]:
    """Import the function that a `module:name` reference names.

    Raises:
        InputError: if the module cannot be imported or does not hold a callable of that name.
    """
    module_name, _, name = ref.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        raise InputError(f"function reference '{ref}': cannot import module '{module_name}' ({error})") from error
    if not callable(function):
        raise InputError(f"function reference '{ref}': module '{module_name}' has no function '{name}'")
    return function


def resolve_asset(ref: str) -> Path:
    """Return the path of a file shipped in a package.

    Raises:
        InputError: if the package cannot be imported or does not hold the file.
    """
    package, _, relative = ref.partition(":")
    try:
        path = Path(str(files(package).joinpath(relative)))
    except ImportError as error:
        raise InputError(f"asset reference '{ref}': cannot import package '{package}' ({error})") from error
    if not path.is_file():
        raise InputError(f"asset reference '{ref}': package '{package}' holds no file '{relative}'")
    return path
