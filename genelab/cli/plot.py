"""`genelab plot`."""

from pathlib import Path

import click

from genelab.cli.options import field_option
from genelab.config.commands import PlotCfg, XAxis
from genelab.runs.files import require_place, write_atomic

WIDTH, HEIGHT = 8.0, 5.0


@click.command
@click.argument("paths", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@field_option("--metric", PlotCfg, "metric", metavar="COLUMN")
@field_option("--x", PlotCfg, "x")
@field_option("--out", PlotCfg, "out", metavar="FILE")
def command(paths: tuple[Path, ...], metric: str, x: XAxis, out: Path) -> None:
    """Draw the learning curves of runs and entries.

    DIR is the directory of a seed, of a sweep or of a published entry, finished or not. A thin line is a seed, a bold
    one the median of the seeds of a DIR. A diamond is what the evaluation found, a dashed line what an idle policy
    earns.
    """
    require_place("--out", out, ".svg", ".png")

    from genelab.show.plot import fill, notes, read_curves
    from genelab.show.svg import png, svg

    cfg = PlotCfg(metric=metric, x=x, out=out)
    runs = read_curves(paths, cfg)
    for line in notes(runs, cfg):
        click.echo(f"note: {line}", err=True)
    draw = svg if out.suffix == ".svg" else png
    write_atomic(out, draw(WIDTH, HEIGHT, lambda figure: fill(figure, runs, cfg)))
    click.echo(f"wrote {out}")
