from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from .harness import Sweep, alive


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Sweep]:
    made = Sweep(tmp_path / "sweep", monkeypatch)
    yield made
    for parent in made.parents:
        parent.kill()
        parent.communicate()
    for pid in alive(made.worker_pids()):
        psutil.Process(pid).kill()
