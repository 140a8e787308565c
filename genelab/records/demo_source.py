"""Where the demonstrations of a run come from, so that an entry can say how to get them."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genelab.config.snapshot import canonical_json
from genelab.errors import GenelabError
from genelab.records import names
from genelab.records.files import read_json, sha256_file
from genelab.records.run import CollectedDemos
from genelab.records.seed_files import SeedFiles

if TYPE_CHECKING:
    from genelab.records.demos import DemoHeader


def collected(header: "DemoHeader", sha256: str) -> CollectedDemos | None:
    """How a file was collected, by its header; None if that does not tell. sha256: of the file."""
    made = header.collection
    return made and CollectedDemos(sha256=sha256, num_envs=made.num_envs, steps=made.steps, seed=made.seed)


def chosen_file(seed: SeedFiles, path: str) -> tuple[str, str] | None:
    """Place and SHA-256 of the file that a run chose under a dotted path; None if that is no chosen file."""
    part, *keys = path.split(".")
    node: Any = read_json(seed.path / names.PARAMS / f"{part}.json") if part in names.PARTS else None
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict) or node.get("kind") != "file":
        return None
    place, sha256 = node.get("value"), node.get("sha256")
    return (place, sha256) if isinstance(place, str) and isinstance(sha256, str) else None


def source_of(seed: SeedFiles, sweep_dir: Path) -> CollectedDemos | None:
    """How the demonstrations of a run were collected.

    By its record; for a run from before records told, by the header of the file, if that still lies where it was
    chosen, seen from here or from the sweep. None if there are none, or neither tells.
    """
    chosen = chosen_file(seed, names.DEMO_PATH)
    if seed.run.demonstrations is not None or chosen is None:
        return seed.run.demonstrations
    # Takes numpy, which checking and rendering do without.
    from genelab.records.demos import read_demos

    place, sha256 = chosen
    for path in (Path(place), sweep_dir / place):
        try:
            if path.is_file() and sha256_file(path) == sha256:
                return collected(read_demos(path).header, sha256)
        except (GenelabError, OSError):
            # It is no part of what is published.
            continue
    return None


def collect_command(seed: SeedFiles, source: CollectedDemos) -> str:
    """The command that collects the demonstrations of a run again."""
    words = ["genelab", "collect-demos", seed.run.task, "--num-envs", str(source.num_envs)]
    words += ["--steps", str(source.steps), "--seed", str(source.seed)]
    for override in seed.run.overrides:
        if override.path.startswith("env."):
            words += ["--set", f"{override.path}={canonical_json(override.new)}"]
    chosen = chosen_file(seed, names.DEMO_PATH)
    return shlex.join([*words, "--out", chosen[0] if chosen else "demos.npz"])
