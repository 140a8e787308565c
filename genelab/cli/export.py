"""`genelab export`."""

from pathlib import Path
from typing import get_args

import click

from genelab import progress
from genelab.cli.options import policy_arguments, progress_options
from genelab.progress import Verbosity
from genelab.records.export import ExportFormat
from genelab.runs.files import require_apart, require_place
from genelab.runs.find import Found

SUFFIXES: dict[ExportFormat, tuple[str, ...]] = {"onnx": (".onnx",), "torchscript": (".pt", ".torchscript", ".ts")}
"""Endings of a policy file by its format."""


@click.command
@policy_arguments
@click.option(
    "--format",
    "file_format",
    type=click.Choice(get_args(ExportFormat)),
    help="Format of the policy file.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write the policy here.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a folder instead: the policy, the robot, and a script that runs both in MuJoCo without genelab.",
)
@progress_options
def command(
    found: Found, file_format: ExportFormat | None, out: Path | None, bundle: Path | None, verbosity: Verbosity
) -> None:
    """Export a policy with its contract.

    CKPT is a checkpoint, the directory of a seed, or an entry of the store, `TASK/ENTRY/seed_N`. FILE takes
    observations and returns mean actions, its normaliser included; FILE.metadata.json says how to fill the one, what
    the other means, and how well FILE agrees with CKPT on recorded observations. A FILE that does not agree is not
    written, and the exit code is 1.
    """
    if bundle is not None:
        if out is not None or file_format is not None:
            raise click.UsageError("--bundle takes neither --out nor --format")
        require_apart("--bundle", bundle)
        with progress.shown(verbosity):
            from genelab.export.bundle import write_bundle

            record = write_bundle(found.run_dir, found.checkpoint, bundle)
        click.echo(f"wrote {bundle}: python {bundle}/run_policy.py")
    elif out is None or file_format is None:
        raise click.UsageError("give --format and --out, or --bundle")
    else:
        require_place("--out", out, *SUFFIXES[file_format])
        with progress.shown(verbosity):
            from genelab.export.export import export_policy, metadata_path

            record = export_policy(found.run_dir, found.checkpoint, file_format, out)
        click.echo(f"wrote {out} and {metadata_path(out).name}")
    parity = record.parity
    click.echo(
        f"parity  {parity.max_abs_difference:.3g} at most, allowed {parity.tolerance:.3g}, on {parity.recorded_rows} "
        f"recorded and {parity.random_rows} random observations"
    )
