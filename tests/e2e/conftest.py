import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import here as genelab
from tests.conftest import poison, search_path

TASK = "GeneLab-Inverted-Pendulum-v1"
SMALL = (
    *("--num-envs", "16", "--iterations", "7"),
    *("--set", "agent.save_interval=2"),
    *("--set", "protocol.episodes=20", "--set", "protocol.num_envs=16"),
)
"""A budget of seconds; everything else as registered. 16 environments everywhere: Genesis compiles for each number."""


def command(*args: str) -> list[str]:
    # As the installed script does it, which does not search the current folder either.
    return [sys.executable, "-P", "-m", "genelab", *args]


def train_args(log_dir: Path, *more: str, seeds: Sequence[int] = (1,), engine: str = "mujoco") -> list[str]:
    """In MuJoCo, which starts in a second. What must hold in Genesis takes `genesis_sweep`."""
    words = ["train", TASK, "--seeds", ",".join(map(str, seeds)), *SMALL, "--log_dir", str(log_dir)]
    return [*words, *(("--engine", engine) if engine != "genesis" else ()), *more]


def apart(
    *args: str, timeout: float = 400, path: Path | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `genelab ARGS` in a process of its own; `path` goes in front of the module search path.

    For Genesis, which starts once in a process, and for other task packages.
    """
    env = {**os.environ, "PYTHONHASHSEED": "0"} | ({"PYTHONPATH": search_path(path)} if path else {})
    return subprocess.run(
        command(*args), capture_output=True, text=True, check=False, timeout=timeout, env=env, cwd=cwd
    )


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def weights(seed_dir: Path) -> str:
    return read(seed_dir / "run.json")["checkpoint"]["weights_sha256"]


@pytest.fixture(scope="session")
def genesis_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep of seed 1 in Genesis, judged in MuJoCo as well."""
    log_dir = tmp_path_factory.mktemp("genesis") / "runs"
    done = genelab(*train_args(log_dir, engine="genesis"))
    assert done.returncode == 0, done.stdout + done.stderr
    return log_dir


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep of seeds 1 and 2, trained at the same time, from a folder that holds other modules."""
    log_dir = tmp_path_factory.mktemp("sweep") / "runs"
    elsewhere = poison(log_dir.with_name("elsewhere"))
    done = apart(*train_args(log_dir, "--parallel", "2", seeds=(1, 2)), cwd=elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    return log_dir
