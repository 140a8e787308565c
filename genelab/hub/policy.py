"""Publishes the exported policy of one seed as a model repository: bundle, film strip, learning curves and card."""

import tempfile
from pathlib import Path

from genelab.config.commands import HubCfg, VideoCfg
from genelab.config.run import ExecutionCfg
from genelab.errors import DrawError, InputError
from genelab.export.bundle import write_bundle
from genelab.hub import card
from genelab.hub.client import Hub
from genelab.hub.entries import local_entry
from genelab.hub.push import publish
from genelab.jobs.film import write_film
from genelab.learn.checkpoint import weights_sha256_of_file
from genelab.records import names
from genelab.records.artifact import read_artifacts
from genelab.runs.run_dir import RunDir
from genelab.show.curves import draw

FOLDER = "policy"
"""Where the bundle lies in the repository."""
FILM = VideoCfg(seconds=5.0)


def push_policy(
    hub: Hub, store: Path, name: str, seed: int, cfg: HubCfg, execution: ExecutionCfg, *, film: bool, private: bool
) -> str:
    """Publish the policy of a seed of an entry `TASK/ENTRY`. Starts a simulator for the film: once per process.

    Returns:
        A commit that holds it.

    Raises:
        InputError: if there is no such entry or seed, its policy cannot be bundled, or another one is there.
        RunError: if the export is not true to the policy, the film cannot be drawn, or the Hub fails for too long.
    """
    entry = local_entry(store, name, weights_sha256_of_file)
    found = [
        (files, result) for files, result in zip(entry.seeds, entry.record.runs, strict=True) if result.seed == seed
    ]
    if not found:
        seeds = ", ".join(str(result.seed) for result in entry.record.runs)
        raise InputError(f"--seed {seed}: entry '{name}' has the seeds {seeds}")
    [(files, result)] = found
    run_dir, checkpoint = RunDir(files.path), files.path / files.eval.checkpoint.path
    with tempfile.TemporaryDirectory(prefix="genelab-policy-") as folder:
        beside: dict[str, bytes] = {"curves.svg": draw(entry).encode()}
        if film:
            strip = Path(folder) / names.FILM
            try:
                # As the bundle runs it.
                write_film(run_dir.task().on("mujoco"), FILM, execution, strip, (run_dir, checkpoint))
            except DrawError as error:
                raise DrawError(f"{error}; --no-film leaves the film strip out") from error
            beside[names.FILM] = strip.read_bytes()
        bundle = Path(folder) / FOLDER
        write_bundle(run_dir, checkpoint, bundle)
        contents = {path.name: path.read_bytes() for path in bundle.iterdir()}
    artifacts = [
        row.artifact for row in read_artifacts(store / names.ARTIFACTS) if f"{row.task}/{row.entry_id}" == name
    ]
    hosted = artifacts[-1] if artifacts else None
    source = f"{hub.api.endpoint}/datasets/{hosted.repo_id}/tree/{hosted.revision}/{hosted.path}" if hosted else None
    text = card.of_policy(hub, entry.record, result, cfg.license, source, film=film)

    hub.patiently(lambda: hub.create(private=private))
    return publish(
        hub,
        {FOLDER: contents},
        lambda _head, _tree: {**beside, card.FILE: text.encode()},
        f"Add the policy of {name}, seed {seed}",
    )
