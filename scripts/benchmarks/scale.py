"""What grows with the number of seeds, items and entries: the launcher, `campaign status`, `check` and `render`.

Nothing is trained. The launcher is the real one, over an executor whose jobs leave their records in no time.
"""

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.common import HERE, MIB, process_seconds
from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.snapshot import config_sha256
from genelab.config.task import TaskSpec
from genelab.publish.store import add_entry
from genelab.records.base import Record
from genelab.records.campaign import CampaignRecord, Caps, ItemRecord
from genelab.records.compare import FieldDifference
from genelab.records.sweep import SeedEntry, SweepRecord
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors import Phase
from genelab.sweep.launcher import launch
from genelab.sweep.live import LineView
from genelab.sweep.plan import make_plan

# Records of a training that never ran, as the tests make them.
sys.path.insert(0, str(HERE))
from tests.records.factory import make_sweep, make_task

TASK = "GeneLab-Inverted-Pendulum-v1"
SMALL = ("train.iterations=10", "train.num_envs=8", "protocol.episodes=8")
TASKS, TRAININGS = 10, 5
"""Tasks of the store, and trainings of each."""
LOOKS = 10
"""Largest number of polls that a job takes."""
DEAD_NODES, LOST, FAILED = 0.1, 0.02, 0.02
"""Shares of the lost nodes that do not come back, of trainings whose node is lost, and of those that fail."""
LIMITS = {"campaign status": 2.0, "check": 5.0, "render": 5.0}
"""Longest time of a command at 10,000 items and 1,000 entries, s of the processor."""
GROWTH = 1.2
"""Largest ratio of what a seed costs in the large sweep to what it costs in the small one."""


@dataclass
class Job:
    """A phase that ends after some polls."""

    cluster: "Cluster"
    run_dir: RunDir
    phase: Phase
    looks: int
    code: int
    lost: bool
    node: str | None = None
    waiting: str | None = None

    def poll(self) -> int | None:
        """Exit code after the last poll, with the records of the phase written."""
        if self.node is None:
            self.node = self.cluster.take()
            self.waiting = "waits for a free node" if self.node is None else None
            return None
        self.looks -= 1
        if self.looks > 0:
            return None
        with self.cluster.simulating():
            self.cluster.end(self)
        return self.code

    def stop(self) -> None:
        """Nobody stops a simulation."""

    def kill(self) -> None:
        """Nor kills it."""

    def last_line(self) -> str | None:
        """What became of its node."""
        return f"node {self.node} was lost" if self.lost else None


@dataclass
class Cluster:
    """Nodes for one seed each. Some are lost with the seed that they train, some of them for good; some seeds fail."""

    nodes: list[str]
    """Those that are free."""
    texts: "Texts"
    rng: Random = field(default_factory=lambda: Random(1))
    own_s: float = 0.0
    """Processor time of the simulation itself, s."""
    failed: set[Path] = field(default_factory=set[Path])
    """Seeds that failed by themselves, each once."""
    ends: Counter[str] = field(default_factory=Counter[str])
    """How many phases ended in which way."""

    def start(self, phase: Phase, run_dir: RunDir, execution: ExecutionCfg) -> Job:
        """Decide how the phase will end."""
        with self.simulating():
            draw = self.rng.random() if phase == "train" else 1.0
            lost = draw < LOST
            fails = LOST <= draw < LOST + FAILED and run_dir.path not in self.failed
            if fails:
                self.failed.add(run_dir.path)
            self.texts.begin(run_dir)
            return Job(self, run_dir, phase, self.rng.randint(1, LOOKS), -signal.SIGKILL if lost else int(fails), lost)

    def take(self) -> str | None:
        """A free node; None if there is none."""
        return self.nodes.pop() if self.nodes else None

    def end(self, job: Job) -> None:
        """Leave what a worker would leave, and give the node back unless it is dead for good."""
        what = "lost" if job.lost else "failed" if job.code else job.phase
        self.ends[what] += 1
        self.texts.end(job.run_dir, what)
        if not job.lost or self.rng.random() >= DEAD_NODES:
            self.nodes.append(str(job.node))

    @contextlib.contextmanager
    def simulating(self) -> Generator[None]:
        """Time that is none of the launcher's."""
        begin = time.process_time()
        yield
        self.own_s += time.process_time() - begin


class Texts:
    """What workers write, as text that fits any seed."""

    def __init__(self, task: TaskSpec) -> None:
        with tempfile.TemporaryDirectory(prefix="genelab-bench-") as home:
            seed = RunDir(make_sweep(Path(home), task=task, seeds=(1,)) / "seed_1")
            run, self._eval = json.loads(seed.record_file.read_bytes()), json.loads(seed.eval_file.read_bytes())
            self._curve = seed.curve.read_bytes()
        worked = ("code", "packages", "hardware", "backend", "attempts", "timing", "checkpoint")
        self._worked = {name: run[name] for name in worked}

    def begin(self, run_dir: RunDir) -> None:
        """What a worker says first."""
        with run_dir.train_log.open("a") as log:
            log.write("--- begins\n")

    def end(self, run_dir: RunDir, what: str) -> None:
        """Change run.json as a worker does, and add its other files."""
        record = json.loads(run_dir.record_file.read_bytes())
        record["execution"]["resolved_device"] = "cpu"
        if what == "lost":
            record["status"] = "training"
        elif what == "failed":
            record |= {"status": "failed", "failure": {"reason": "diverged", "detail": "loss is not finite"}}
        elif what == "train":
            record |= {**self._worked, "status": "trained"}
            run_dir.curve.write_bytes(self._curve)
            (run_dir.path / "model_final.pt").write_bytes(b"weights")
        else:
            record["status"] = "finished"
            run = self._eval["run"] | {name: record[name] for name in ("seed", "seeds_planned", "command")}
            run_dir.eval_file.write_text(json.dumps(self._eval | {"run": run}))
        run_dir.record_file.write_text(json.dumps(record))


def sweep(count: int, nodes: int) -> dict[str, float]:
    """Launch `count` seeds, and launch once more what failed. In a process of its own, for the peak of its memory."""
    task, overrides = apply_overrides(get_task(TASK), SMALL)
    seeds = tuple(range(1, count + 1))
    argv = ["genelab", "train", TASK, "--seeds", f"1-{count}"]
    cluster = Cluster([f"node-{k}" for k in range(nodes)], Texts(task))
    with (
        tempfile.TemporaryDirectory(prefix="genelab-bench-") as home,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        cfg = LaunchCfg(seeds=seeds, parallel=nodes, log_dir=str(Path(home, "sweep")))
        took, code = list[float](), 1
        for _ in range(2):
            start, own = time.process_time(), cluster.own_s
            plan = make_plan(task, overrides, ExecutionCfg(), cfg)
            code = launch(plan, argv, LineView(plan), cluster)
            took.append(time.process_time() - start - (cluster.own_s - own))
        assert code == 0, "the second launch finishes what failed in the first"
    return {
        "processor per seed, launched": took[0] / count,
        "processor per seed, relaunched": took[1] / count,
        "peak memory": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "trainings and evaluations": sum(cluster.ends.values()),
        "of them lost with their node": cluster.ends["lost"],
        "of them failed by themselves": cluster.ends["failed"],
    }


def make_store(store: Path, count: int) -> None:
    """Fill a store with entries: of ten tasks, five trainings of two seeds each, which are copied under other names."""
    made = [_entry(store, f"Toy{task}-v1", training) for task in range(TASKS) for training in range(TRAININGS)]
    newest = {path.parent: path.name for path in made}
    for k in range(len(made), count):
        source = made[k % len(made)]
        target = source.with_name(f"copy-{k:06}")
        shutil.copytree(source, target)
        record = json.loads((target / "entry.json").read_bytes())
        at = datetime.fromisoformat(record["created_at"]) + timedelta(seconds=k)
        record |= {"entry_id": target.name, "supersedes": newest[target.parent], "created_at": at.isoformat()}
        (target / "entry.json").write_text(json.dumps(record, indent=2) + "\n")
        newest[target.parent] = target.name


def _entry(store: Path, task_id: str, training: int) -> Path:
    def returns(seed: int) -> list[float]:
        return [30.0 + training + 0.1 * seed + 0.01 * (-1) ** k for k in range(8)]

    with tempfile.TemporaryDirectory(prefix="genelab-bench-") as home:
        folder = make_sweep(Path(home, "sweep"), task=make_task(task_id), seeds=(1, 2), returns=returns)
        return add_entry(folder, f"training-{training}", store)


def make_campaign(home: Path, count: int) -> None:
    """A campaign `c` whose items are queued, one in ten of them trained."""
    task, (override,) = apply_overrides(get_task(TASK), ["train.iterations=10"])
    folder, now = home / "campaigns" / "c", datetime.now(UTC).isoformat()
    (folder / "items").mkdir(parents=True)
    events: list[str] = []

    def decide(what: str, **told: Any) -> None:
        event = {"schema": "genelab/campaign_event/1", "at": now, "who": "bench", "what": what, "why": "", **told}
        events.append(json.dumps(event) + "\n")

    def write(name: str, record: Record) -> str:
        text = (json.dumps(record.model_dump(mode="json"), indent=2) + "\n").encode()
        (folder / name).write_bytes(text)
        return hashlib.sha256(text).hexdigest()

    rules = CampaignRecord(schema="genelab/campaign/1", name="c", purpose="x", metric="return_mean", caps=Caps())
    decide("new", file="campaign.json", sha256=write("campaign.json", rules))
    for k in range(count):
        item = ItemRecord(
            schema="genelab/campaign_item/1",
            id=f"item-{k}",
            task=TASK,
            variant=None,
            overrides=(override,),
            seeds=(1, 2, 3),
            execution=ExecutionCfg(),
            baseline=None,
            wave=None,
            hypothesis=None,
            expect=None,
            premise=None,
            joint=None,
            corrects=None,
            why="x",
            config_sha256=config_sha256(task),
            changes=(FieldDifference(path="train.iterations", a=300, b=10),),
            env_steps=task.env_steps(10),
        )
        name = f"items/{item.id}.json"
        decide("add", item=item.id, file=name, sha256=write(name, item))
        decide("queue", item=item.id)
        if k % 10 == 0:
            _trained(home / "runs" / "campaigns" / "c" / item.id, item)
    (folder / "events.jsonl").write_text("".join(events))


def _trained(folder: Path, item: ItemRecord) -> None:
    now = datetime.now(UTC)
    record = SweepRecord(
        schema="genelab/sweep/2",
        task=item.task,
        task_version=1,
        config_sha256=item.config_sha256,
        execution=item.execution,
        command=("genelab",),
        seeds=tuple(SeedEntry(seed=seed, state="finished", attempts=1) for seed in item.seeds),
        created_at=now,
        updated_at=now,
    )
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text(json.dumps(record.model_dump(mode="json"), indent=2) + "\n")


def command_s(home: Path, *words: str) -> float:
    """Processor time of a genelab command in a folder, s."""
    with contextlib.chdir(home):
        return process_seconds([sys.executable, "-P", "-m", "genelab", *words])[1]


def commands(items: int, entries: int) -> dict[str, float]:
    """Processor time of the commands that read a campaign or a whole store, s."""
    with tempfile.TemporaryDirectory(prefix="genelab-bench-") as path:
        home = Path(path)
        make_store(home / "reference", entries)
        (home / "docs").mkdir()
        found = {"check": command_s(home, "check", "reference")}
        found["render, first"] = command_s(home, "render")
        found["render"] = command_s(home, "render")
    with tempfile.TemporaryDirectory(prefix="genelab-bench-") as path:
        home = Path(path)
        (home / "reference").mkdir()
        make_campaign(home, items)
        found["campaign status"] = command_s(home, "campaign", "status", "c")
    return found


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def main() -> int:
    """Measure, print, and return 1 if a limit is passed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument(
        "--seeds", type=int, nargs=2, default=[1000, 10_000], help="seeds of a small and a large sweep"
    )
    options.add_argument("--nodes", type=int, default=500, help="nodes of the simulated cluster")
    options.add_argument("--items", type=int, default=10_000, help="items of the campaign")
    options.add_argument("--entries", type=int, default=1000, help="entries of the store")
    args = options.parse_args()
    small, large = (alone(sweep, count, args.nodes) for count in args.seeds)
    print(f"{'launcher':32}" + "".join(f"{count:>12} seeds" for count in args.seeds) + f"{'ratio':>8}")
    for name, unit, scale in (
        ("processor per seed, launched", "ms", 1e3),
        ("processor per seed, relaunched", "ms", 1e3),
        ("peak memory", "MiB", 1 / MIB),
        ("trainings and evaluations", "", 1),
        ("of them lost with their node", "", 1),
        ("of them failed by themselves", "", 1),
    ):
        print(f"{name:32}{small[name] * scale:14.2f}{unit:>4}{large[name] * scale:14.2f}{unit:>4}", end="")
        print(f"{large[name] / small[name]:8.2f}")
    found = commands(args.items, args.entries)
    print(f"\n{args.items} items, {args.entries} entries of two seeds, s of the processor")
    for name, taken in found.items():
        print(f"{name:32}{taken:14.2f}" + (f"   limit {LIMITS[name]:g}" if name in LIMITS else ""))
    growth = large["processor per seed, launched"] / small["processor per seed, launched"]
    return int(growth > GROWTH or any(found[name] > limit for name, limit in LIMITS.items()))
