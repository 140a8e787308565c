"""No command writes a default down a second time: every one is the default of a config field."""

import inspect
from collections.abc import Iterator

import click

from genelab.cli import COMMANDS, group
from genelab.cli.options import FieldOption


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
