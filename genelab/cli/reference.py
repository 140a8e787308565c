"""`genelab reference`."""

import json
from pathlib import Path

import click

from genelab.cli.options import STORE
from genelab.errors import InputError


@click.group()
def command() -> None:
    """Add to the store of published entries, and list it."""


@command.command()
@click.argument("sweep_dir", type=click.Path(path_type=Path))
@click.option(
    "--entry", "entry_id", required=True, help="Name of the entry: lower-case letters, digits, '.', '_', '-'."
)
@click.option(
    "--allow-missing", is_flag=True, help="Publish though seeds failed. They are declared, and there is no mean."
)
@click.option("--reason", help="Why the entry is added.")
@click.option("--publisher", help="Who adds it.")
@STORE
def add(
    sweep_dir: Path,
    entry_id: str,
    allow_missing: bool,
    reason: str | None,
    publisher: str | None,
    store: Path,
) -> None:
    """Check SWEEP_DIR and copy it to <store>/<task>/<entry>/. The same command again changes nothing."""
    from genelab.publish.store import add_entry

    added = add_entry(
        sweep_dir,
        entry_id,
        store,
        allow_missing=allow_missing,
        reason=reason,
        publisher=publisher,
    )
    click.echo(f"{added} holds {sweep_dir}; now run `genelab render`")


@command.command(name="list")
@STORE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_entries(store: Path, as_json: bool) -> None:
    """List the entries, checked, by task, the newest first."""
    from genelab.publish.store import load_store
    from genelab.show.table import table_lines
    from genelab.show.text import number

    if not store.is_dir():
        raise InputError(f"there is no store at '{store.absolute()}'; --store names another place")
    records = [entry.record for entry in load_store(store)]
    if as_json:
        click.echo(json.dumps([record.model_dump(mode="json", exclude={"files"}) for record in records], indent=2))
        return
    if not records:
        click.echo(f"no entries in '{store.absolute()}'")
        return
    columns = {
        "task": [record.task for record in records],
        "entry": [record.entry_id for record in records],
        "added": [f"{record.created_at:%Y-%m-%d}" for record in records],
        "status": [record.status for record in records],
        "seeds": [f"{len(record.seeds.finished)}/{len(record.seeds.planned)}" for record in records],
        "mean return": [number(record.aggregate and record.aggregate.mean) for record in records],
    }
    for line in table_lines(columns, left=("task", "entry", "added", "status")):
        click.echo(line)
