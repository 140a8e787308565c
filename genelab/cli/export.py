"""`genelab export`."""

from pathlib import Path
from typing import get_args

import click

from genelab import progress
from genelab.cli.options import progress_options, run_of
from genelab.errors import InputError
from genelab.progress import Verbosity
from genelab.records.export import ExportFormat


@click.command
@click.argument("task_id", metavar="TASK")
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
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
    task_id: str,
    checkpoint: Path,
    file_format: ExportFormat | None,
    out: Path | None,
    bundle: Path | None,
    verbosity: Verbosity,
) -> None:
    """Export a policy with its contract.

    CKPT lies in its run directory. FILE takes observations and returns mean actions, its normaliser included;
    FILE.metadata.json says how to fill the one, what the other means, and how well FILE agrees with CKPT on recorded
    observations. A FILE that does not agree is not written, and the exit code is 1.
    """
    run_dir = run_of(task_id, checkpoint)

    if bundle is not None:
        if out is not None or file_format is not None:
            raise click.UsageError("--bundle takes neither --out nor --format")
        with progress.shown(verbosity):
            from genelab.export.bundle import write_bundle

            record = write_bundle(run_dir, checkpoint, bundle)
        click.echo(f"wrote {bundle}: python {bundle}/run_policy.py")
    elif out is None or file_format is None:
        raise click.UsageError("give --format and --out, or --bundle")
    elif file_format == "onnx" and out.suffix != ".onnx":
        raise InputError(f"--out {out}: must end in .onnx, as --format onnx says")
    elif file_format == "torchscript" and out.suffix == ".onnx":
        raise InputError(f"--out {out}: must not end in .onnx, since --format torchscript writes another format")
    else:
        with progress.shown(verbosity):
            from genelab.export.export import export_policy, metadata_path

            record = export_policy(run_dir, checkpoint, file_format, out)
        click.echo(f"wrote {out} and {metadata_path(out).name}")
    parity = record.parity
    click.echo(
        f"parity  {parity.max_abs_difference:.3g} at most, allowed {parity.tolerance:.3g}, on {parity.recorded_rows} "
        f"recorded and {parity.random_rows} random observations"
    )
