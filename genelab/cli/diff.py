"""`genelab diff`."""

import json
from pathlib import Path

import click

from genelab.cli.options import STORE


@click.command
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@STORE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(a: str, b: str, store: Path, as_json: bool) -> int:
    """Show where two configurations differ.

    A and B are tasks, TASK or TASK:VARIANT, run or sweep directories, or entries: a path, or TASK/ENTRY of the store.
    Exit code 0 if they are equal, 1 if they differ.
    """
    from genelab.compare.compare import config_differences
    from genelab.compare.sides import task_of
    from genelab.show.compare import difference_lines

    found = config_differences(task_of(a, store), task_of(b, store))
    if as_json:
        click.echo(json.dumps([difference.model_dump(mode="json") for difference in found], indent=2))
    else:
        click.echo("\n".join(difference_lines(found)) if found else "equal")
    return 1 if found else 0
