"""A campaign over a registered toy task, whose trainings are synthetic sweeps."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from genelab import registry
from genelab.campaign.files import Campaign, load
from genelab.campaign.intake import entries_of
from genelab.campaign.items import resolve
from genelab.campaign.state import Standing, standings
from genelab.config.task import TaskSpec
from tests.conftest import here
from tests.records.factory import EPISODES, edit, make_sweep

TASK = "Toy-v1"
LR = "agent.learning_rate"


def register(monkeypatch: pytest.MonkeyPatch, task: TaskSpec) -> None:
    """Make a task, or another version of it, the registered toy task."""
    made = registry.Registered(TASK, "Toy", task.summary, lambda: task)
    monkeypatch.setattr(registry, "_tasks", {**registry._tasks, TASK: made})


class Place:
    """The current folder, with a store and a campaign `c`."""

    def __init__(self) -> None:
        self.store, self.docs, self.folder = Path("reference"), Path("docs"), Path("campaigns", "c")

    def __call__(self, verb: str, *args: str, code: int = 0) -> str:
        """Run `genelab campaign VERB c ARGS`, which must end so; returns what it says."""
        done = here("campaign", verb, "c", *args)
        assert done.returncode == code, done
        if code:
            assert len(done.stderr.strip().splitlines()) <= 1, "one line"
        return done.stderr + done.stdout

    def new(self, *args: str, metric: str = "return_mean") -> None:
        self("new", "--metric", metric, "--purpose", "Try it.", *args)

    def add(self, item: str, *args: str, seeds: str = "1,2,3", code: int = 0) -> str:
        return self("add", item, TASK, "--seeds", seeds, "--why", "worth it", *args, code=code)

    def change(self, item: str, *args: str, value: str = "0.01", baseline: str = "base", code: int = 0) -> str:
        """Add an item that changes the learning rate."""
        more = ("--set", f"{LR}={value}", "--baseline", baseline, "--hypothesis", "faster", "--expect", "better")
        return self.add(item, *more, *args, code=code)

    def campaign(self) -> Campaign:
        return load(self.folder)

    def found(self, item: str) -> Standing:
        return standings(self.campaign(), entries_of(self.store))[item]

    def state(self, item: str) -> str:
        return self.found(item).state

    def trained(self, item: str, mean: float, spread: float = 0.1, task: TaskSpec | None = None, **told: Any) -> Path:
        """Queue an item and write what its training would leave; seeds' means are spread around `mean`."""
        each = self.found(item)
        if each.state == "draft":
            self("queue", item)
        folder = Path("runs", "campaigns", "c", item)

        def returns(seed: int) -> Sequence[float]:
            return [mean + (seed % 3 - 1) * spread + 0.01 * (-1) ** k for k in range(EPISODES)]

        make_sweep(folder, task=task or resolve(each.item)[0], seeds=each.seeds, returns=returns, **told)
        for seed in each.seeds:
            if (path := folder / f"seed_{seed}" / "run.json").exists():
                overrides = [override.model_dump(mode="json") for override in each.item.overrides]
                edit(path, lambda record, o=overrides: record.update(overrides=o))
        return folder

    def entered(self, item: str, mean: float, spread: float = 0.1) -> str:
        """Train an item and take it in."""
        self.trained(item, mean, spread)
        return self("intake", item)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]
