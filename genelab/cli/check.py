"""`genelab check`."""

import json
from pathlib import Path

import click

from genelab.errors import RunError


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: what was checked, and the findings.")
@click.option("--weights", is_flag=True, help="Load the checkpoints and recompute weights_sha256 too.")
def command(paths: tuple[Path, ...], as_json: bool, weights: bool) -> None:
    """Recompute what records claim.

    That is aggregates, hashes, verdicts and sets of seeds. PATHS are eval.json or artifacts.jsonl files, run, sweep or
    entry directories, or trees of them. One line per finding; exit code 1 if there is one, 2 if a path does not exist
    or holds no record.
    """
    from genelab.records.check import check_paths

    weights_hash = None
    if weights:
        from genelab.learn.checkpoint import weights_sha256_of_file as weights_hash
    report = check_paths(paths, weights_hash)
    if as_json:
        findings = [{"path": str(finding.path), "message": finding.message} for finding in report.findings]
        click.echo(json.dumps({"ok": report.summaries, "findings": findings}, indent=2))
    else:
        for finding in report.findings:
            click.echo(finding)
        for summary in report.summaries:
            click.echo(f"ok: {summary}")
    if report.findings:
        raise RunError(f"{len(report.findings)} finding{'s' if len(report.findings) > 1 else ''}")
