import functools
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from genelab.cli import run
from genelab.functions import allow_functions_of

if TYPE_CHECKING:
    from genelab.sim.engine import Engine
    from genelab.sim.session import Session

# The test processes fill the cores already: with more threads they wait for each other, many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No installed task package, but some of them hold terms.
allow_functions_of("tests")

for number, handler in {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}.items():
    if signal.getsignal(number) == signal.SIG_IGN:
        # A shell that starts the tests in the background, or nohup, ignores it for all below; some tests send it.
        signal.signal(number, handler)

# How long an example takes says more about what else the machine does than about the code.
hypothesis.settings.register_profile("genelab", deadline=None)
hypothesis.settings.load_profile("genelab")

Cli = Callable[..., subprocess.CompletedProcess[str]]


def search_path(path: Path) -> str:
    """`PYTHONPATH` with a directory in front of what it holds already."""
    return os.pathsep.join([str(path), *filter(None, [os.environ.get("PYTHONPATH")])])


def poison(folder: Path) -> Path:
    """Make a directory with modules of the names that a process of ours imports; each ends it."""
    for name in ("genelab", "genesis", "torch"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise SystemExit('{name} of the current folder')")
    return folder


def here(*args: str) -> subprocess.CompletedProcess[str]:
    """Run `genelab ARGS` in this process, which has loaded what takes seconds. Seeds have processes of their own."""
    out, error = io.StringIO(), io.StringIO()
    # A run records its command line.
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
        patch.setattr(sys, "argv", ["genelab", *args])
        code = run(args)
    return subprocess.CompletedProcess(args, code, out.getvalue(), error.getvalue())


@pytest.fixture(scope="session")
def genelab() -> Cli:
    """Runs `genelab ARGS` in a process of its own; `path` goes in front of the module search path."""

    def apart(*args: str, path: Path | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        env = dict(os.environ)
        if path is not None:
            env["PYTHONPATH"] = search_path(path)
        return subprocess.run(
            [sys.executable, "-m", "genelab", *args], env=env, cwd=cwd, capture_output=True, text=True, check=False
        )

    return apart


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Installs a package that lies beside this file with pip, without a network; returns where its modules are."""

    def run(package: str) -> Path:
        target = tmp_path_factory.mktemp(package)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, "--target", str(target), str(Path(__file__).parent / package)], check=True)
        return target

    return run


@pytest.fixture(scope="session")
def sim_session() -> "Session":
    """The Genesis session of this test process."""
    from genelab.sim.make import start

    return start(seed=1, device="cpu", threads=1, engine="genesis")


@pytest.fixture(scope="session")
def build(sim_session: "Session") -> "Callable[[str, int], Engine]":
    """Builds the simulation of a registered task, or of `TASK/STAGE`, once per task and size."""
    from genelab.sim.engine import Engine
    from genelab.sim.make import make_engine
    from tests.stage import stage

    @functools.cache
    def simulation(task_id: str, num_envs: int) -> Engine:
        return make_engine(stage(task_id).env, num_envs, sim_session)

    return simulation
