"""Command options whose type, range, default and help are those of a config field."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ConfigDict, TypeAdapter, ValidationError

from genelab.config.base import Cfg
from genelab.config.commands import StoreCfg
from genelab.config.task import TaskSpec

F = TypeVar("F", bound=Callable[..., Any])


class FieldType(click.ParamType[Any]):
    """Parses an option as a config field and applies the field's rules."""

    def __init__(self, model: type[Cfg], field: str) -> None:
        info = model.model_fields[field]
        self.name = getattr(info.annotation, "__name__", "value")
        annotated: Any = Annotated[info.annotation, info]  # pyright: ignore[reportInvalidTypeForm]
        # The rule of every config: no infinity, no NaN.
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotated, config=ConfigDict(allow_inf_nan=False))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Validate the text of an option."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            self.fail(f"{value}: {error.errors(include_url=False)[0]['msg']}", param, ctx)


class FieldOption(click.Option):
    """An option whose default is the default of a config field, read here and nowhere written down again.

    A test walks every command: an option with a default must be one of these.
    """

    home: tuple[type[Cfg], str]
    """The config model and the name of its field."""

    def __init__(self, *args: Any, home: tuple[type[Cfg], str], use_default: bool, **attributes: Any) -> None:
        self.home = home
        info = home[0].model_fields[home[1]]
        if use_default and not info.is_required():
            attributes["default"] = info.default
        super().__init__(*args, type=FieldType(*home), help=info.description, **attributes)


def field_option(
    name: str, model: type[Cfg], field: str, *, use_default: bool = True, metavar: str | None = None
) -> Callable[[F], F]:
    """A click option for a config field.

    Args:
        name: long name, such as `--num-envs`.
        use_default: whether an option not given takes the field's default; otherwise it is None.
        metavar: placeholder of the value in the help, if the type's name or the literals say too little.
    """
    annotation = model.model_fields[field].annotation
    if metavar is None and get_origin(annotation) is Literal:
        metavar = "|".join(map(str, get_args(annotation)))
    return click.option(name, cls=FieldOption, home=(model, field), use_default=use_default, metavar=metavar)


VARIANT = field_option("--variant", TaskSpec, "variant", metavar="NAME")
"""A variant of the task's learner, budget and number of environments."""

STORE = field_option("--store", StoreCfg, "store", metavar="DIR")
