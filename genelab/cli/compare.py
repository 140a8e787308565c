"""`genelab compare`."""

import json
from pathlib import Path

import click

from genelab.cli.options import STORE, cfg_options
from genelab.config.commands import CompareCfg
from genelab.runs.files import require_place


@click.command
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@cfg_options("cfg", CompareCfg, "metric", "margin")
@click.option("--across", is_flag=True, help="Compare though budget or environment differ. The report names what does.")
@click.option(
    "--gate", is_flag=True, help="Exit with 1 on a regression, an unreliable seed, or what is not comparable."
)
@click.option("--strict", is_flag=True, help="As --gate, and with 1 if undecided.")
@STORE
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw it here, as SVG.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    a: str,
    b: str,
    cfg: CompareCfg,
    across: bool,
    gate: bool,
    strict: bool,
    store: Path,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Compare the results of two sets of seeds.

    A, the old one, and B, the new one, are sweep or run directories, eval.json files, or entries: a path, or TASK/ENTRY
    of the store. Both are checked first. The verdict is identical, equivalent, improvement, regression, undecided or
    not comparable; the last is exit code 1.
    """
    require_place("--plot", plot, ".svg")

    from genelab.compare.compare import compare
    from genelab.compare.sides import load
    from genelab.runs.files import write_atomic
    from genelab.show.compare import draw, lines

    record = compare(load(a, store), load(b, store), cfg, across=across)
    click.echo(json.dumps(record.model_dump(mode="json"), indent=2) if as_json else "\n".join(lines(record)))
    if plot is not None:
        write_atomic(plot, draw(record))
        click.echo(f"wrote {plot}", err=as_json)
    if gate or strict:
        passed = record.gate(strict=strict)
        click.echo(f"gate: {'passed' if passed else 'failed'}", err=as_json)
        return 0 if passed else 1
    return 1 if record.verdict == "not_comparable" else 0
