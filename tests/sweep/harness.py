"""Sweeps of fake workers, for the tests."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.records.files import read_record
from genelab.records.sweep import SeedEntry, SweepRecord

from . import launch


class Sweep:
    """A sweep of fake workers in a directory of its own."""

    def __init__(self, log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log_dir = log_dir
        self.parents: list[subprocess.Popen[bytes]] = []
        self._monkeypatch = monkeypatch

    def behave(self, **behaviour: str) -> None:
        """Say what the workers do from now on, as `s1="fail"`."""
        told = json.dumps({seed.removeprefix("s"): how for seed, how in behaviour.items()})
        self._monkeypatch.setenv("GENELAB_TEST_BEHAVIOUR", told)

    def cfg(self, **fields: Any) -> LaunchCfg:
        return LaunchCfg.model_validate({"log_dir": str(self.log_dir), **fields})

    def run(self, execution: ExecutionCfg | None = None, **fields: Any) -> int:
        """Launch in this process and return the exit code."""
        return launch.run(self.cfg(**fields), execution or ExecutionCfg())

    def start(self, **fields: Any) -> subprocess.Popen[bytes]:
        """Launch in a process of its own."""
        command = [sys.executable, launch.__file__, self.cfg(**fields).model_dump_json()]
        self.parents.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        return self.parents[-1]

    def record(self) -> SweepRecord:
        return read_record(self.log_dir / "sweep.json", SweepRecord)

    def entries(self) -> dict[int, SeedEntry]:
        return {entry.seed: entry for entry in self.record().seeds}

    def states(self) -> dict[int, str]:
        return {seed: entry.state for seed, entry in self.entries().items()}

    def log(self, seed: int) -> str:
        path = self.log_dir / f"seed_{seed}" / "train.log"
        return path.read_text() if path.exists() else ""

    def worker_pids(self) -> list[int]:
        logs = "\n".join(path.read_text() for path in self.log_dir.glob("seed_*/train.log"))
        return [int(line.split()[1]) for line in logs.splitlines() if line.startswith(("pid ", "orphan "))]


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pids: list[int]) -> list[int]:
    """Those processes that still run; a zombie that nobody reaps does not."""
    found: list[int] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found
