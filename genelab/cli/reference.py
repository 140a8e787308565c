"""`genelab reference`."""

from pathlib import Path

import click

from genelab.cli.options import STORE
from genelab.errors import InputError


@click.group()
def command() -> None:
    """The store of published entries: append-only, every file hashed."""


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
def list_entries(store: Path) -> None:
    """List the entries, checked, by task, the newest first."""
    from genelab.publish.store import load_store

    entries = load_store(store)
    if not entries:
        raise InputError(f"--store {store}: there is no entry; a clone of genelab has its store in reference/")
    for entry in entries:
        record = entry.record
        seeds = f"{len(record.seeds.finished)}/{len(record.seeds.planned)} seeds"
        mean = "no mean" if record.aggregate is None else f"mean {record.aggregate.mean:.3f}"
        click.echo(f"{record.task}  {record.entry_id}  {record.created_at:%Y-%m-%d}  {record.status}  {seeds}  {mean}")
