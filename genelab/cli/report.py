"""`genelab report`."""

from importlib.util import find_spec
from pathlib import Path

import click

from genelab.cli.options import STORE
from genelab.errors import InputError
from genelab.runs.files import require_apart, require_writable


@click.command
@click.argument("given", metavar="[PATH|ENTRY]...", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Folder of the report.")
@STORE
def command(given: tuple[str, ...], out: Path, store: Path) -> None:
    """Make static pages about results, to look through.

    PATH is an entry, a sweep, a run, a tree of them such as a store, or a campaign; ENTRY is TASK/ENTRY of the store.
    Without any, all entries of the store are shown. All are checked; what the check finds fault with is shown as
    broken, with the reason. The pages need no network. DIR is made, or replaced if it holds an earlier report.
    """
    if find_spec("plotly") is None:
        raise InputError("the report needs plotly: pip install 'genelab[report]'")

    from genelab.report.pages import compose, require_out, write

    require_out(out)
    require_apart("--out", out)
    require_writable(out.absolute().parent)
    report = compose(given, store)
    for line in report.broken:
        click.echo(f"broken: {line}", err=True)
    write(report, out)
    click.echo(f"wrote {out / 'index.html'}: {len(report.texts)} pages")
