"""No command writes a default down a second time: every one is the default of a config field."""

import inspect
from collections.abc import Iterator

import click
import pytest

from genelab.cli import COMMANDS, group
from genelab.cli.options import FieldOption, field_option
from genelab.config.run import LaunchCfg


def commands(command: click.Command, path: str = "genelab") -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, with the words that call each."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}")


def default_of(parameter: click.Parameter) -> object:
    """What the command gets if the parameter is not given; None for nothing."""
    return parameter.to_info_dict()["default"]


def foreign_defaults(command: click.Command, path: str) -> list[str]:
    """One line on every parameter of a command whose default has no home in a config model."""
    found: list[str] = []
    for parameter in command.params:
        default = default_of(parameter)
        words = f"{path} {'/'.join(parameter.opts)} = {default!r}"
        if isinstance(parameter, FieldOption):
            model, field = parameter.home
            if default is not None and default is not model.model_fields[field].default:
                found.append(f"{words}: not the object in {model.__name__}.{field}")
        elif default is not None and not (getattr(parameter, "is_flag", False) and default is False):
            found.append(f"{words}: not read from a config model")
        if parameter.envvar is not None:
            found.append(f"{words}: read from the variable {parameter.envvar}")
    arguments = inspect.signature(command.callback).parameters.values() if command.callback else ()
    found += [f"{path}: {a.name} = {a.default!r} in Python" for a in arguments if a.default is not a.empty]
    return found


def test_every_default_is_that_of_a_config_field() -> None:
    seen = dict(commands(group))
    assert {f"genelab {name}" for name in COMMANDS} < set(seen)
    assert "genelab reference add" in seen
    assert all(not command.context_settings.get("default_map") for command in seen.values())
    assert [line for path, command in seen.items() for line in foreign_defaults(command, path)] == []


def test_the_defaults_that_commands_have_are_seen() -> None:
    own = {
        f"{path} {parameter.opts[0]}"
        for path, command in commands(group)
        for parameter in command.params
        if isinstance(parameter, FieldOption) and default_of(parameter) is not None
    }
    assert {"genelab train --log-dir", "genelab eval --config", "genelab render --docs", "genelab render --store"} < own


def test_options_of_a_snapshot_have_no_default_of_their_own() -> None:
    by_path = dict(commands(group))
    for name in ("num_envs", "episodes", "seed"):
        [parameter] = [p for p in by_path["genelab eval"].params if p.name == name]
        assert default_of(parameter) is None


@click.command
@click.option("--literal", default=1, help="The number that LaunchCfg.parallel has too.")
@click.option("--on/--off", default=True, help="A flag that is on.")
@click.option("--variable", envvar="GENELAB_PARALLEL", help="A default from outside.")
@click.option("--repeated", multiple=True, default=("a",), help="A list.")
@click.argument("place", default="runs")
@field_option("--fine", LaunchCfg, "parallel")
@click.option("--flag", is_flag=True, help="A flag that is off.")
@click.option("--nothing", help="No default.")
def bad(hidden: int = 3, **_: object) -> None:
    """A command that breaks the rule in every way."""


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--literal = 1", "not read from a config model"),
        ("--on = True", "not read from a config model"),
        ("--variable = None", "read from the variable GENELAB_PARALLEL"),
        ("--repeated = ('a',)", "not read from a config model"),
        ("place = 'runs'", "not read from a config model"),
        ("hidden = 3", "in Python"),
    ],
)
def test_the_scan_finds(option: str, why: str) -> None:
    found = [line for line in foreign_defaults(bad, "bad") if option in line]
    assert len(found) == 1
    assert why in found[0]


def test_the_scan_finds_nothing_else() -> None:
    assert len(foreign_defaults(bad, "bad")) == 6


def test_the_scan_finds_a_field_whose_default_was_replaced() -> None:
    @click.command
    @field_option("--parallel", LaunchCfg, "parallel")
    def command(parallel: int) -> None: ...

    [parameter] = command.params
    assert foreign_defaults(command, "x") == []
    parameter.default = 2
    assert foreign_defaults(command, "x") == ["x --parallel = 2: not the object in LaunchCfg.parallel"]


def test_a_field_option_takes_no_default() -> None:
    with pytest.raises(TypeError):
        field_option("--parallel", LaunchCfg, "parallel", default=2)  # pyright: ignore[reportCallIssue]
