"""The launcher knows no processes: an executor of a test runs jobs within its own."""

import signal
from dataclasses import dataclass, field

from genelab.config.run import ExecutionCfg
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors import Phase
from genelab.sweep.launcher import launch
from genelab.sweep.live import LineView

from . import fake_worker
from .harness import Sweep
from .launch import plan_of


@dataclass
class Ended:
    """A job that was over at once."""

    code: int
    node: str | None = None
    waiting: str | None = None
    lost: bool = False

    def poll(self) -> int | None:
        return self.code

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def last_line(self) -> str | None:
        return "machine b2 was lost" if self.code < 0 else None


@dataclass
class Here:
    """Runs jobs when they are started, but loses the machine of one seed."""

    lost: int
    times: int = 1
    retried: bool = False
    started: list[tuple[Phase, str, int]] = field(default_factory=list)

    def start(self, phase: Phase, run_dir: RunDir, execution: ExecutionCfg) -> Ended:
        self.started.append((phase, run_dir.path.name, execution.threads))
        if run_dir.load().seed == self.lost and self.times:
            self.times -= 1
            return Ended(-signal.SIGKILL, node="b2", lost=self.retried)
        return Ended(fake_worker.train(run_dir, "ok") if phase == "train" else fake_worker.evaluate(run_dir))


def test_another_executor_needs_no_other_launcher(sweep: Sweep) -> None:
    plan = plan_of(sweep.cfg(seeds=(1, 3)), ExecutionCfg(threads=2))
    executor = Here(lost=3)
    assert launch(plan, ["genelab", "train"], LineView(plan), executor) == 1
    assert executor.started == [("train", "seed_1", 2), ("evaluate", "seed_1", 2), ("train", "seed_3", 2)]
    assert sweep.states() == {1: "finished", 3: "crashed"}
    assert sweep.entries()[3].reason == "killed by SIGKILL; last line: machine b2 was lost"

    assert launch(plan, ["genelab", "train"], LineView(plan), Here(lost=0)) == 0
    assert sweep.states() == {1: "finished", 3: "finished"}


def test_a_seed_whose_machine_was_lost_goes_on_as_often_as_it_may(sweep: Sweep) -> None:
    plan = plan_of(sweep.cfg(seeds=(1, 3), max_attempts=2), ExecutionCfg())
    assert launch(plan, ["genelab", "train"], LineView(plan), Here(lost=3, times=2, retried=True)) == 1
    entry = sweep.entries()[3]
    assert (entry.state, entry.attempts, entry.nodes) == ("crashed", 2, ("b2",))
    assert sweep.states()[1] == "finished"

    executor = Here(lost=3, times=1, retried=True)
    assert launch(plan, ["genelab", "train"], LineView(plan), executor) == 0
    assert [phase for phase, _, _ in executor.started] == ["train", "train", "evaluate"]
    assert (sweep.states()[3], sweep.entries()[3].attempts) == ("finished", 4)
