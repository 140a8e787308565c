import subprocess
import sys
from pathlib import Path

import pytest

import genelab
from genelab.config.run import ExecutionCfg
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors.local import LocalExecutor
from tests.conftest import poison

from .harness import wait_for

START = """
import sys, time
from pathlib import Path
from genelab.config.run import ExecutionCfg
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors.local import LocalExecutor
command = [sys.executable, "-P", "-c", "import genelab; print(genelab.__file__)"]
job = LocalExecutor(command).start("train", RunDir(Path(sys.argv[1])), ExecutionCfg())
while job.poll() is None:
    time.sleep(0.01)
print(job.last_line())
"""


@pytest.mark.slow
def test_a_worker_imports_nothing_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    run_dir = RunDir(tmp_path / "seed_1")
    run_dir.path.mkdir()
    job = LocalExecutor().start("train", run_dir, ExecutionCfg())
    wait_for(lambda: job.poll() is not None)
    assert (job.poll(), job.last_line()) == (1, f"error: '{run_dir.record_file}': missing")


@pytest.mark.slow
def test_a_launcher_that_was_found_in_the_current_folder_starts_workers_of_the_same_code(tmp_path: Path) -> None:
    """`python -m genelab` in a second clone."""
    (tmp_path / "genelab").symlink_to(Path(genelab.__file__).parent)
    command = [sys.executable, "-c", START, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'genelab' / '__init__.py'}\n"
