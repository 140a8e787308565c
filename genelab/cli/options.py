"""What commands share: options whose type, range, default and help are those of a config field; a checkpoint's run."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

import click
from pydantic import ConfigDict, TypeAdapter, ValidationError

from genelab.config.base import Cfg
from genelab.config.commands import StoreCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import SimCfg
from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.errors import InputError
from genelab.registry import get_task
from genelab.runs.files import require_writable
from genelab.runs.run_dir import RunDir

F = TypeVar("F", bound=Callable[..., Any])
PROTOCOL = ("num_envs", "episodes", "seed")
"""Fields of a protocol that have an option."""


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


def cfg_options(argument: str, model: type[Cfg], *fields: str) -> Callable[[F], F]:
    """Options for some fields of a config model, handed to the command as one object.

    Args:
        argument: what the command calls it.
        model: the config model; fields without an option keep their default.
        fields: each has an option of its name.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def gathered(**given: Any) -> Any:
            own = {field: given.pop(field) for field in fields}
            return command(**given, **{argument: model(**own)})

        for field in reversed(fields):
            gathered = field_option(f"--{field.replace('_', '-')}", model, field)(gathered)
        return cast(F, gathered)

    return decorate


EXECUTION = cfg_options("execution", ExecutionCfg, "device", "threads")
"""What a command runs on."""


def protocol_options(command: F) -> F:
    """Options that change an evaluation's protocol, handed to the command as `changes` of what was given."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        own = {field: given.pop(field) for field in PROTOCOL}
        return command(**given, changes={field: value for field, value in own.items() if value is not None})

    for field in reversed(PROTOCOL):
        gathered = field_option(f"--{field.replace('_', '-')}", ProtocolCfg, field, use_default=False)(gathered)
    return cast(F, gathered)


def require_place(option: str, path: Path | None, *suffixes: str) -> None:
    """Check, before any work, that a file can be written where an option says. None for an option not given.

    Raises:
        InputError: if it has another suffix, is a directory, or its folder is none or cannot be written; names the
            option.
    """
    if path is None:
        return
    if suffixes and path.suffix not in suffixes:
        raise InputError(f"{option} {path}: must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{option} {path}: it is a directory")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: '{path.parent}' is not a directory")
    require_writable(path.parent)


def run_of(task_id: str, checkpoint: Path) -> RunDir:
    """The run directory that a checkpoint lies in.

    Raises:
        InputError: if there is no such task or checkpoint, no run around it, or the run is of another task.
    """
    get_task(task_id)
    run_dir = run_around(checkpoint)
    found = run_dir.load().task
    if found != task_id:
        raise InputError(f"checkpoint '{checkpoint}' was trained on '{found}', not on '{task_id}'")
    return run_dir


def run_around(checkpoint: Path) -> RunDir:
    """The run directory that a checkpoint lies in, whatever its task.

    Raises:
        InputError: if there is no such checkpoint, or no run around it.
    """
    if not checkpoint.is_file():
        raise InputError(f"checkpoint '{checkpoint}' {'is no file' if checkpoint.exists() else 'does not exist'}")
    run_dir = RunDir(checkpoint.parent)
    if not run_dir.exists():
        raise InputError(f"checkpoint '{checkpoint}' has no run.json beside it to say what it was trained on")
    return run_dir


VARIANT = field_option("--variant", TaskSpec, "variant", metavar="NAME")
"""A variant of the task."""

ENGINE = field_option("--engine", SimCfg, "engine", use_default=False)
"""A simulator in place of the task's."""

STORE = field_option("--store", StoreCfg, "store", metavar="DIR")
