"""`genelab list`."""

import json
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import click

from genelab.config.places import STORE
from genelab.errors import InputError
from genelab.publish.best import Best, best_results
from genelab.registry import Registered, broken_entry_points, families, get_task, registered_tasks
from genelab.show.text import NONE, number

WIDTH = 80
"""Longest line, characters."""
INDENT = "    "
"""Before what a task is about."""


@click.command
@click.argument("text", required=False)
# Not the option of the other commands, which imports pydantic: that takes longer than all the rest.
@click.option(
    "--store", type=click.Path(path_type=Path), metavar="DIR", help=f"Root of the reference store.  [default: {STORE}]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the budget of each task.")
def command(text: str | None, store: Path | None, as_json: bool) -> int:
    """List the tasks, with the best published result of each.

    With TEXT, those whose identifier has it, in any letter case.

    BEST is the mean over the seeds of the best entry in the store: the return, or the share of episodes that reach the
    goal. IDLE is what doing nothing earns. HOURS is the training of one seed, in wall-clock time.

    An entry point that fails to register its tasks is named on stderr, and the exit code is 2.
    """
    found = [task for task in registered_tasks() if (text or "").casefold() in task.id.casefold()]
    # All of a benchmark would hide the rest.
    folded = Counter() if text or as_json else Counter(task.group for task in found if task.group)
    tasks, errors = [task for task in found if task.group not in folded], [str(each) for each in broken_entry_points()]
    store = store or STORE
    best: dict[str, Best] = {}
    try:
        best = best_results(store)
    except InputError as error:
        errors.append(str(error))
    if as_json:
        rows: list[dict[str, Any]] = []
        for task in tasks:
            try:
                rows.append(_row(task, best.get(task.id)))
            except InputError as error:
                errors.append(str(error))
        click.echo(json.dumps(rows, indent=2))
    else:
        for line in _table(tasks, best):
            click.echo(line)
        for group, count in folded.items():
            click.echo(f"{group}-...")
            click.echo(f"{INDENT}{count} tasks. `genelab list {group}` shows them.")
        for family in families() if text is None else ():
            told = f"{family.summary} For example {family.example}."
            click.echo(f"{family.prefix}...")
            click.echo(textwrap.fill(told, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
        if not best:
            click.echo(f"\nNo published results in '{store}'; --store DIR names another store.")
    for error in errors:
        click.echo(f"error: {error}", err=True)
    return InputError.exit_code if errors else 0


def _row(registered: Registered, best: Best | None) -> dict[str, Any]:
    task = get_task(registered.id)
    return {
        "id": task.id,
        "task_version": task.task_version,
        "robot": registered.robot,
        "iterations": task.all_iterations,
        "num_envs": task.train.num_envs,
        "variants": sorted(registered.variants),
        "package": task.package,
        "summary": task.summary,
        "best": best and best._asdict(),
    }


def _table(tasks: list[Registered], best: dict[str, Best]) -> list[str]:
    head = ("TASK", "ROBOT", "BEST", "IDLE", "HOURS")
    rows = [(task.id, task.robot, *_numbers(best.get(task.id))) for task in tasks]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [_line(head, widths)]
    for row, task in zip(rows, tasks, strict=True):
        variants = f" Variants: {', '.join(sorted(task.variants))}." if task.variants else ""
        lines.append(_line(row, widths))
        lines += textwrap.wrap(task.summary + variants, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    return lines


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Names on the left, numbers on the right."""
    padded = zip(cells, widths, strict=True)
    return "  ".join(c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(padded)).rstrip()


def _numbers(best: Best | None) -> tuple[str, str, str]:
    if best is None:
        return NONE, NONE, NONE
    told = [f"{value:.1%}" if best.metric == "success" else number(value) for value in (best.mean, best.idle)]
    return told[0], told[1], f"{best.hours:.1f}"
