"""Arguments and options about a task, and what the shell completes in their place. Imports no pydantic."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from genelab.registry import registered_tasks, variants_of


def complete_task(_: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Identifiers of tasks, in any letter case."""
    begin = incomplete.casefold()
    return [CompletionItem(t.id, help=t.summary) for t in registered_tasks() if t.id.casefold().startswith(begin)]


def _complete_variant(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in variants_of(_task_of(context)) if name.startswith(incomplete)]


def _complete_path(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Paths of the values of the task, and parts of it: up to the next dot, as directories of a file system."""
    from genelab.config.fields import leaves
    from genelab.config.overrides import may_change
    from genelab.errors import GenelabError
    from genelab.registry import get_task

    try:
        task = get_task(_task_of(context), context.params.get("variant"))
    except GenelabError:
        # A shell has no place for messages; the command will say it.
        return []
    ending = "=" if isinstance(parameter, click.Option) else ""
    found: dict[str, str] = {}
    for leaf in filter(may_change, leaves(task)):
        if leaf.path.startswith(incomplete):
            step, dot, _ = leaf.path[len(incomplete) :].partition(".")
            name = incomplete + step
            found[f"{name}." if dot else f"{name}{ending}"] = "" if dot else leaf.meaning
    return [CompletionItem(name, help=" ".join(meaning.split())) for name, meaning in found.items()]


def _task_of(context: click.Context) -> str:
    # click leaves arguments aside where an option has no value yet.
    return context.params.get("task_id") or next(iter(context.args), "")


TASK = click.argument("task_id", metavar="TASK", shell_complete=complete_task)
"""A registered task."""

VARIANT = click.option("--variant", metavar="NAME", shell_complete=_complete_variant, help="A variant of the task.")
"""A variant of the task."""

SET = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="PATH=VALUE",
    shell_complete=_complete_path,
    help="Change a value of the task. Repeatable.",
)
"""Changes of single values."""

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Change the values that FILE names: lines of PATH = VALUE, as `genelab info TASK --write FILE` writes them.",
)
"""Changes of values from a file."""

PATH = click.argument("path", metavar="[PATH]", required=False, shell_complete=_complete_path)
"""A value of the task, or a part of it."""
