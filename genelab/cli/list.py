"""`genelab list`."""

import json
from typing import Any

import click

from genelab.errors import InputError
from genelab.registry import all_tasks, broken_entry_points, variants_of


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> int:
    """List the registered tasks.

    An entry point that fails to register its tasks is named on stderr, and the exit code is 2.
    """
    rows: list[dict[str, Any]] = [
        {
            "id": task.id,
            "task_version": task.task_version,
            "iterations": task.all_iterations,
            "num_envs": task.train.num_envs,
            "variants": variants_of(task.id),
            "package": task.package,
            "summary": task.summary,
        }
        for task in all_tasks()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        width = max((len(str(row["id"])) for row in rows), default=0)
        for row in rows:
            budget = f"{row['iterations']} iterations x {row['num_envs']} envs"
            variants = f" Variants: {', '.join(row['variants'])}." if row["variants"] else ""
            click.echo(f"{row['id']:{width}}  version {row['task_version']}  {budget:26}  {row['summary']}{variants}")
    broken = broken_entry_points()
    for each in broken:
        click.echo(f"error: {each}", err=True)
    return InputError.exit_code if broken else 0
