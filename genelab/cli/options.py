"""What commands share: options whose type, range, default and help are those of a config field; which policy."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import click
from pydantic import ConfigDict, TypeAdapter, ValidationError

from genelab.config.base import Cfg, meaning_of
from genelab.config.commands import StoreCfg
from genelab.config.overrides import apply_overrides, from_environment
from genelab.config.run import ExecutionCfg
from genelab.config.scene import SimCfg
from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.errors import InputError
from genelab.progress import Verbosity
from genelab.registry import get_task, task_ids
from genelab.runs.find import Found, find_policy

F = TypeVar("F", bound=Callable[..., Any])
PROTOCOL = ("num_envs", "episodes", "seed")
"""Fields of a protocol that have an option."""
POLICY = "[TASK] CKPT"
"""How the help writes which policy."""


class FieldType(click.ParamType[Any]):
    """Parses an option as a config field and applies the field's rules."""

    def __init__(self, model: type[Cfg], field: str) -> None:
        info = model.model_fields[field]
        kind: Any = info.annotation
        while get_origin(kind) in (Annotated, Union, UnionType):
            kind = get_args(kind)[0]
        self.name = getattr(kind, "__name__", "value")
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
        super().__init__(*args, type=FieldType(*home), help=meaning_of(*home), **attributes)


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


def policy_arguments(command: F) -> F:
    """The arguments `[TASK] CKPT`, handed to the command as `found`. What stands for CKPT is told on stderr."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        words: tuple[str, ...] = given.pop("words")
        found = policy_of(words)
        if found.checkpoint != Path(words[-1]):
            click.echo(f"checkpoint {found.checkpoint}", err=True)
        return command(**given, found=found)

    return cast(F, click.argument("words", metavar=POLICY, nargs=-1, required=True)(gathered))


def policy_of(words: tuple[str, ...]) -> Found:
    """The checkpoint that `[TASK] CKPT` means, as `find_policy` takes it.

    Raises:
        InputError: if there is no such task or checkpoint, or the checkpoint is of another task.
    """
    task, name = task_and(words, POLICY)
    found = find_policy(name)
    trained_on = found.run_dir.load().task
    if task is not None and trained_on != task.id:
        raise InputError(f"checkpoint '{name}' was trained on '{trained_on}', not on '{task.id}'")
    return found


def is_task(word: str) -> bool:
    """Whether a word is the identifier of a registered task, in any letter case."""
    return word.casefold() in map(str.casefold, task_ids())


def as_registered(name: str, variant: str | None = None) -> TaskSpec:
    """A registered task, or a variant. What it leaves open comes from its environment variables. Raises InputError."""
    task = get_task(name, variant)
    return apply_overrides(task, (), from_environment(task, (), os.environ))[0]


def task_and(words: tuple[str, ...], metavar: str) -> tuple[TaskSpec | None, str]:
    """The task, if it is given, and the other of one or two arguments. Raises InputError if there is no such task."""
    *first, name = words
    if len(first) > 1:
        raise click.UsageError(f"takes {metavar}, not {len(words)} of them")
    return (get_task(first[0]) if first else None), name


def progress_options(command: F) -> F:
    """`--quiet` and `--verbose`, handed to the command as `verbosity`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        quiet, verbose = given.pop("quiet"), given.pop("verbose")
        if quiet and verbose:
            raise click.UsageError("--quiet and --verbose exclude each other")
        verbosity: Verbosity = "quiet" if quiet else "verbose" if verbose else "normal"
        return command(**given, verbosity=verbosity)

    gathered = click.option("--verbose", is_flag=True, help="Show the simulator's own log too.")(gathered)
    return cast(F, click.option("--quiet", is_flag=True, help="Show results and errors only.")(gathered))


ENGINE = field_option("--engine", SimCfg, "engine", use_default=False)
"""A simulator in place of the task's."""

STORE = field_option("--store", StoreCfg, "store", metavar="DIR")
