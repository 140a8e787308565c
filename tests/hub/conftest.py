import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from genelab.config.commands import HubCfg
from genelab.hub.client import Hub
from genelab.publish.store import add_entry
from tests.hub.fake_hub import FakeHub, serve
from tests.records.factory import make_sweep

TOKEN = "hf_writer_of_the_tests"
REPO = "toys/results"
QUICK = HubCfg(timeout_s=1.0, tries=4, first_wait_s=0.01, longest_wait_s=0.05)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Generator[FakeHub]:
    """A fake Hub that the environment names, with a token that may write."""
    import time

    sleep = time.sleep
    with serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        # The library waits for seconds between its own tries.
        monkeypatch.setattr(time, "sleep", lambda s: sleep(min(s, hub.longest_sleep_s)))
        yield hub


@pytest.fixture
def said() -> list[str]:
    """What the client told while it waited."""
    return []


@pytest.fixture
def hub(fake: FakeHub, said: list[str]) -> Hub:
    return Hub("dataset", REPO, QUICK, said.append)


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    add_entry(make_sweep(folder / "sweep", seeds=(1, 2)), "first", folder / "reference")
    return folder / "reference"


@pytest.fixture
def store(toys: Path, tmp_path: Path) -> Path:
    """A store with one entry, `Toy-v1/first`."""
    return shutil.copytree(toys, tmp_path / "reference")


@pytest.fixture
def weights_hash() -> Callable[[Path], str]:
    """What the factory calls the digest of the tensors."""
    import hashlib

    return lambda path: hashlib.sha256(b"tensors" + path.read_bytes()).hexdigest()
