"""Command options whose type, range, default and help are those of a config field."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from genelab.config.base import Cfg

F = TypeVar("F", bound=Callable[..., Any])

STORE = click.option(
    "--store", type=click.Path(path_type=Path), default=Path("reference"), help="Root of the reference store."
)


class FieldType(click.ParamType[Any]):
    """Parses an option as a config field and applies the field's rules."""

    def __init__(self, model: type[Cfg], field: str) -> None:
        info = model.model_fields[field]
        self.name = getattr(info.annotation, "__name__", "value")
        annotated: Any = Annotated[info.annotation, info]  # pyright: ignore[reportInvalidTypeForm]
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotated)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Validate the text of an option."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            self.fail(f"{value}: {error.errors(include_url=False)[0]['msg']}", param, ctx)


def field_option(
    name: str, model: type[Cfg], field: str, *, use_default: bool = True, metavar: str | None = None
) -> Callable[[F], F]:
    """A click option for a config field.

    Args:
        name: long name, such as `--num-envs`.
        use_default: whether an option not given takes the field's default; otherwise it is None.
        metavar: placeholder of the value in the help, if the type's name says too little.
    """
    info = model.model_fields[field]
    default = None if info.is_required() or not use_default else info.default
    return click.option(name, type=FieldType(model, field), default=default, help=info.description, metavar=metavar)
