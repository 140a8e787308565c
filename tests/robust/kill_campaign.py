"""Kills `genelab` at random moments of every phase and checks that the same command finishes as if nothing had been.

Kills are real SIGKILLs of real processes: of the whole tree, of the worker alone, or of the launcher alone. The moments
are drawn from a seed; a moment of a short phase is met by watching for its file.
"""

import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from tests.robust.kill_checks import findings, leftovers, torn, unequal_pages, unequal_runs, unequal_stores
from tests.robust.kill_process import Command, Victims, wait_for

TASK = "GeneLab-Inverted-Pendulum-v1"
ITERATIONS = 6
TRAIN = (
    *("train", TASK, "--seed", "1", "--device", "cpu", "--log_dir", "runs", "--num-envs", "64"),
    *("--iterations", str(ITERATIONS), "--set", "agent.save_interval=2"),
    *("--set", "protocol.episodes=8", "--set", "protocol.num_envs=8", "--engine", "mujoco"),
)
ADD = ("reference", "add", "runs", "--entry", "campaign", "--store", "reference")
RENDER = ("render", "--store", "reference", "--docs", "docs")
RUN = "runs/seed_1"

SHARES = {"start": 2, "evaluation": 3, "record": 3, "training": 5, "checkpoint": 5, "publishing": 8, "rendering": 6}
"""How a campaign of 32 kills is spread over the phases."""
PER_TRIAL = 6
"""Kills of one training, from its first launch to its end."""
ROUNDS = 3
"""How often a kill is tried whose phase was over before it came."""


@dataclass
class Kill:
    """One planned kill."""

    phase: str
    victims: Victims
    delay_s: float
    row: int
    """Rows of the learning curve to wait for."""
    landed: bool = False


@dataclass
class Outcome:
    """What a campaign found."""

    kills: list[Kill] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def plan(count: int, rng: random.Random) -> list[Kill]:
    """Spread `count` kills over the phases in the proportions of SHARES, at least one each while they last."""
    total = sum(SHARES.values())
    numbers = {phase: max(1, round(count * share / total)) for phase, share in SHARES.items()}
    while sum(numbers.values()) > count:
        numbers[max(numbers, key=lambda phase: numbers[phase])] -= 1
    while sum(numbers.values()) < count:
        numbers["publishing"] += 1
    longest = {"start": 6.0, "training": 0.3, "checkpoint": 0.004, "record": 0.004, "evaluation": 1.5}
    longest |= {"publishing": 0.15, "rendering": 0.3}
    kills: list[Kill] = []
    for phase, number in numbers.items():
        for _ in range(number):
            victims: Victims = (
                "all" if phase in ("publishing", "rendering") else rng.choice(("all", "worker", "launcher"))
            )
            kills.append(Kill(phase, victims, rng.uniform(0.0, longest[phase]), rng.randint(1, ITERATIONS)))
    return kills


def moment(kill: Kill, work: Path) -> Callable[[], bool]:
    """When the phase of a kill has begun. What an earlier attempt left does not count."""
    run, curve, log = work / RUN, work / RUN / "curve.jsonl", work / RUN / "train.log"
    begun = log.stat().st_size if log.is_file() else 0

    def logged(words: bytes) -> bool:
        if not log.is_file():
            return False
        with log.open("rb") as file:
            file.seek(begun)
            return words in file.read()

    def rows() -> bool:
        return logged(b"training") and curve.is_file() and curve.read_bytes().count(b"\n") >= kill.row

    def temporary(*patterns: str) -> Callable[[], bool]:
        before = {path for pattern in patterns for path in work.glob(pattern)}
        return lambda: any(path not in before for pattern in patterns for path in work.glob(pattern))

    return {
        "start": lambda: True,
        "training": rows,
        "checkpoint": temporary(f"{RUN}/.*.pt.*.tmp", f"{RUN}/resume/.*.tmp"),
        "record": temporary(f"{RUN}/.*.json.*.tmp", "runs/.*.json.*.tmp")
        if kill.row % 2
        else temporary(f"{RUN}/.run.json.*.tmp"),
        "evaluation": lambda: run.is_dir() and logged(b"episodes of the idle"),
        "publishing": temporary(f"reference/{TASK}/.draft-*"),
        "rendering": temporary("docs/*", "docs/curves/*", "docs/.*", "docs/curves/.*")
        if kill.row % 2
        else lambda: kill.row > 0,
    }[kill.phase]


def strike(args: Sequence[str], kill: Kill, work: Path, outcome: Outcome) -> bool:
    """Run a command and kill it at its moment. True if the kill landed."""
    reached = moment(kill, work)
    command = Command(args, work / "commands.log", work)
    if kill.victims == "worker":
        wait_for(lambda: bool(command.children()), command)
    if wait_for(reached, command):
        # Not more than one: some moments last no longer.
        time.sleep(kill.delay_s)
        kill.landed = command.kill(kill.victims)
    if not kill.landed or kill.victims == "worker":
        command.wait()
    if not kill.landed:
        # For the next round: on this machine the phase is shorter.
        kill.delay_s /= 4
    found = torn(work) if kill.landed else []
    outcome.violations += [f"after a kill in {kill.phase} ({kill.victims}): {text}" for text in found]
    return kill.landed


def finish(args: Sequence[str], work: Path, outcome: Outcome) -> None:
    """Run a command undisturbed; it must succeed."""
    command = Command(args, work / "commands.log", work)
    if code := command.wait():
        tail = command.log.read_text(errors="replace").splitlines()[-3:]
        outcome.violations.append(f"`genelab {args[0]}` ended with {code} after the kills: {' | '.join(tail)}")


def campaign(count: int, seed: int, work: Path) -> Outcome:
    """Run a campaign in an empty directory."""
    rng, outcome, quiet = random.Random(seed), Outcome(), work / "undisturbed"
    quiet.mkdir()
    for args in (TRAIN, ADD, RENDER):
        finish(args, quiet, outcome)
    if outcome.violations:
        return outcome
    kills = plan(count, rng)
    rng.shuffle(kills)
    for attempt in range(ROUNDS):
        missed = [kill for kill in kills if not kill.landed]
        entries = [kill for kill in missed if kill.phase == "publishing"]
        pages = [kill for kill in missed if kill.phase == "rendering"]
        for k, pair in enumerate(zip_longest(entries, pages)):
            _page_trial([kill for kill in pair if kill], work / f"page_{attempt}_{k}", quiet, outcome)
        training = [kill for kill in missed if kill not in (*entries, *pages)]
        for k in range(0, len(training), PER_TRIAL):
            _training_trial(training[k : k + PER_TRIAL], work / f"training_{attempt}_{k}", quiet, outcome)
    outcome.kills = kills
    return outcome


def _training_trial(kills: Sequence[Kill], work: Path, quiet: Path, outcome: Outcome) -> None:
    """One training from its first launch to its end, killed again and again."""
    work.mkdir()
    # Later moments last, or their phase would be over before the earlier ones can come.
    order = ("start", "record", "training", "checkpoint", "evaluation")
    for kill in sorted(kills, key=lambda k: (order.index(k.phase), k.row)):
        strike(TRAIN, kill, work, outcome)
    finish(TRAIN, work, outcome)
    if outcome.violations:
        return
    found = [*unequal_runs(work / RUN, quiet / RUN), *leftovers(work), *findings(work / "runs")]
    outcome.violations += [f"{work.name}: {text}" for text in found]


def _page_trial(kills: Sequence[Kill], work: Path, quiet: Path, outcome: Outcome) -> None:
    """One entry and its page, from the undisturbed sweep."""
    shutil.copytree(quiet / "runs", work / "runs")
    for args, phase in ((ADD, "publishing"), (RENDER, "rendering")):
        for kill in kills:
            if kill.phase == phase:
                strike(args, kill, work, outcome)
        finish(args, work, outcome)
    if outcome.violations:
        return
    found = [*unequal_stores(work / "reference", quiet / "reference"), *unequal_pages(work / "docs", quiet / "docs")]
    found += [*leftovers(work), *findings(work / "reference")]
    outcome.violations += [f"{work.name}: {text}" for text in found]
