"""Evaluates the policies of a hosted entry again, and compares with what it claims episode by episode."""

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from genelab.config.base import is_asset
from genelab.config.choices import choices
from genelab.config.task import TaskSpec
from genelab.errors import RunError
from genelab.hub.client import Hub
from genelab.hub.pull import at_head, download
from genelab.records.check import WeightsHash
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from genelab.records.seed_files import SeedFiles
from genelab.records.stamps import other_sums
from genelab.records.statistics import IDLE_MARGIN, mean, seed_interval
from genelab.show.text import number


class Verdict(NamedTuple):
    """How a second evaluation compares with the first."""

    word: Literal["ok", "undecided", "differs"]
    """Whether it bears the first one out. Only `ok` passes."""
    told: str
    """One line on it."""


def verify_entry(
    hub: Hub, name: str, weights_hash: WeightsHash, say: Callable[[str], None]
) -> Iterator[tuple[int, Verdict]]:
    """Pull an entry into a temporary folder and evaluate every seed again, each in a process of its own.

    Yields:
        Each seed and what came of it.

    Raises:
        InputError: as `pull_entry`.
        RunError: if the Hub fails for too long, or an evaluation fails.
    """
    revision, tree = at_head(hub, name)
    with tempfile.TemporaryDirectory(prefix="genelab-verify-") as folder:
        entry = download(hub, revision, tree, name, Path(folder), weights_hash)
        say(f"{name} at {revision[:12]}: {len(entry.record.files)} files as their digests say")
        for seed in entry.seeds:
            say(f"evaluating seed {seed.run.seed} again")
            yield seed.run.seed, compare(seed.eval, _evaluate(seed, Path(folder) / "eval.json"))


def compare(first: EvalRecord, again: EvalRecord) -> Verdict:
    """Compare two evaluations of a policy under one protocol.

    With the same processor, versions and threads, every episode of the policy and the baselines must be equal to the
    last bit; on a GPU, and elsewhere, returns are compared in pairs by episode. They agree if Student's whole 95 %
    interval of the mean difference is within 5 % of the larger mean, and differ if all of it is beyond; else it is
    undecided.
    """
    ours, theirs = again.episodes, first.episodes
    if ours == theirs and first.baselines == again.baselines:
        return Verdict("ok", f"{len(ours.index)} episodes and the baselines are equal to the last bit")
    if len(ours.index) != len(theirs.index):
        return Verdict("differs", f"{len(ours.index)} episodes, the entry has {len(theirs.index)}")
    pairs = list(zip(theirs.return_, ours.return_, strict=True))
    differences = [b - a for a, b in pairs]
    center, interval = mean(differences), seed_interval(differences)
    # One pair tells nothing of the spread.
    low, high = interval or (-math.inf, math.inf)
    changed = sum(a != b for a, b in pairs)
    told = (
        f"mean return {number(mean(ours.return_))}, the entry has {number(mean(theirs.return_))}; {changed} of "
        f"{len(pairs)} returns differ, on average by {center:.3g} (95 % interval {low:.3g} to {high:.3g})"
    )
    other = other_sums(first, again, first.run.trainer)
    if not other and again.hardware.gpu is None:
        return Verdict("differs", f"not equal on the same kind of machine: {told}")
    small = IDLE_MARGIN * max(abs(mean(ours.return_)), abs(mean(theirs.return_)))
    where = f"elsewhere ({', '.join(other)})" if other else "on a GPU"
    within, beyond = -small <= low and high <= small, low > small or high < -small
    return Verdict("ok" if within else "differs" if beyond else "undecided", f"{where}: {told}")


def _evaluate(seed: SeedFiles, out: Path) -> EvalRecord:
    """Evaluate a checkpoint as `genelab eval` does, under the protocol of its record."""
    first = seed.eval
    checkpoint, protocol = seed.path / first.checkpoint.path, first.protocol
    command = [sys.executable, "-P", "-m", "genelab", "eval", first.run.task, str(checkpoint), "--out", str(out)]
    command += ["--config", first.config.source, "--engine", first.backend.engine]
    command += [
        "--num-envs",
        str(protocol.num_envs),
        "--episodes",
        str(protocol.episodes),
        "--seed",
        str(protocol.seed),
    ]
    # What a sum depends on and can be chosen; a machine without the GPU of the first takes its CPU.
    command += ["--threads", str(first.backend.torch.num_threads)]
    command += ["--device", "cpu" if first.hardware.gpu is None else "auto"]
    out.unlink(missing_ok=True)
    # A process of its own: seed first, then build.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # Written as well where the reload check fails, which the comparison tells in full.
    if not out.is_file():
        lines = done.stderr.strip().splitlines()
        why = lines[-1].removeprefix("error: ") if lines else f"exit code {done.returncode}"
        raise RunError(f"seed {seed.run.seed} could not be evaluated: {why}{chosen_hint(seed.task)}")
    return read_record(out, EvalRecord)


def chosen_hint(task: TaskSpec) -> str:
    """How to name the chosen files of a task, which no entry holds; empty if it has none."""
    files = [(path, choice) for path, choice in choices(task) if choice.sha256 and not is_asset(str(choice.value))]
    told = [f"{path}: set {c.variable} to it" if c.variable else f"{path}: put it to '{c.value}'" for path, c in files]
    return f"; an entry holds no chosen files ({'; '.join(told)})" if told else ""
