"""Where the demonstrations of a run come from, so that an entry can say how to get them."""

import shlex
from typing import TYPE_CHECKING

from genelab.config.choices import choices
from genelab.config.snapshot import canonical_json
from genelab.records import names
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
    choice = dict(choices(seed.task)).get(path)
    return (str(choice.value), choice.sha256) if choice and choice.sha256 else None


def collect_command(seed: SeedFiles, source: CollectedDemos) -> str:
    """The command that collects the demonstrations of a run again."""
    words = ["genelab", "collect-demos", seed.run.task, "--num-envs", str(source.num_envs)]
    words += ["--steps", str(source.steps), "--seed", str(source.seed)]
    for override in seed.run.overrides:
        if override.path.startswith("env."):
            words += ["--set", f"{override.path}={canonical_json(override.new)}"]
    chosen = chosen_file(seed, names.DEMO_PATH)
    return shlex.join([*words, "--out", chosen[0] if chosen else "demos.safetensors"])
