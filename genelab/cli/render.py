"""`genelab render`."""

from pathlib import Path

import click

from genelab.cli.options import STORE, field_option
from genelab.config.commands import StoreCfg
from genelab.errors import InputError, RunError


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the page or a picture differs from the records.")
@STORE
@field_option("--docs", StoreCfg, "docs", metavar="DIR")
def command(check: bool, store: Path, docs: Path) -> None:
    """Render the pages of results from the store.

    These are docs/reference-runs.md with the learning curves, the table in README.md beside DIR, and
    docs/campaigns/NAME.md of each campaign beside the store.
    """
    from genelab.campaign.page import pages
    from genelab.publish.render import compose, differences, write

    if not store.is_dir():
        raise InputError(f"'{store}' is no directory")
    rendering = compose(store, docs)
    campaigns = pages(store, docs)
    rendering = rendering._replace(texts=rendering.texts | campaigns)
    if not check:
        for path in write(rendering):
            click.echo(f"changed {path}")
        return
    found = differences(rendering)
    for line in found:
        click.echo(line)
    if found:
        raise RunError(f"{len(found)} file(s) differ from the records; run `genelab render`")
    click.echo(
        f"ok: {rendering.page} and {len(rendering.pictures)} picture(s)"
        + f" and {len(campaigns)} campaign(s)" * bool(campaigns)
    )
