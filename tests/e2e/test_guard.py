import functools
import shutil
from pathlib import Path
from typing import Any

import pytest

from genelab.learn.checkpoint import load
from genelab.learn.state import load_state
from genelab.records.guard import SCHEMA
from genelab.worker.guard_report import TENSORS
from tests.e2e.conftest import TASK, genelab, read, train_args

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]

FAULTY = (
    *("train", TASK, "--seeds", "1", "--num-envs", "64", "--iterations", "7", "--engine", "mujoco"),
    *("--set", "protocol.episodes=20", "--set", "protocol.num_envs=16", "--set", "agent.save_interval=1"),
    *("--set", "env.rewards.alive.func=faults:alive_but_once"),
)


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    """Where `tests/faults.py` lies as an installed task package. Terms of any other module would not be run."""
    place = tmp_path / "site-packages"
    info = place / "faults-0.1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[1] / "faults.py", place)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faults\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[genelab.tasks]\nfaults = faults:register\n")
    return place


def _guard(seed_dir: Path) -> tuple[Path, Any]:
    (folder,) = (seed_dir / "guard").iterdir()
    return folder, read(folder / "fault.json")


def test_a_broken_reward_stops_the_seed_and_what_is_left_leads_back_to_it(tmp_path: Path, faults: Path):
    with_faults, log_dir = functools.partial(genelab, path=faults), tmp_path / "runs"
    train = (*FAULTY, "--log-dir", str(log_dir))
    done = with_faults(*train)
    assert done.returncode == 1
    seed_dir = log_dir / "seed_1"
    folder, fault = _guard(seed_dir)
    assert (fault["tensor"], fault["environments"], fault["value"]) == ("reward/alive", [40], "nan")
    assert fault["reproduced"] is True
    run = read(seed_dir / "run.json")
    assert (run["status"], run["failure"]["reason"]) == ("failed", "diverged")
    for text in ("reward/alive is nan", "summary.txt"):
        assert text in run["failure"]["detail"]
        assert text in done.stdout
    summary = (folder / "summary.txt").read_text()
    assert "first culprit  reward/alive" in summary
    assert f"genelab replay-guard {folder}" in summary

    # Nothing of the faulty iteration was saved as a model, and the policy before it is there.
    last = fault["iteration"] - 1
    assert last >= 0
    assert sorted(p.name for p in seed_dir.glob("model_*.pt")) == [f"model_{i}.pt" for i in range(last + 1)]
    assert load(folder / "last_good.pt").weights_sha256 == load(seed_dir / f"model_{last}.pt").weights_sha256
    assert load_state(folder / TENSORS, SCHEMA)["reward/alive"].isnan().nonzero().tolist() == [[40]]

    replayed = with_faults("replay-guard", str(folder))
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "the same fault" in replayed.stdout
    # The fault does not come where the cause is gone, and that is told.
    cured = genelab("replay-guard", str(folder))
    assert cured.returncode == 2
    assert "faults" in cured.stderr

    # Let pass and counted, the same seed goes on from its last state and finishes.
    finished = with_faults(*train, "--nan-policy", "reset-env")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    run = read(seed_dir / "run.json")
    assert run["guards"]["env_resets"] >= 1
    assert read(seed_dir / "eval.json")["guards"] == run["guards"]
    assert "broken environments reset so far" in (seed_dir / "train.log").read_text()
    assert with_faults("check", str(log_dir), "--weights").returncode == 0


def test_an_update_that_diverges_is_replayed_from_the_whole_state(tmp_path: Path):
    log_dir = tmp_path / "runs"
    diverging = ("--set", "agent.learning_rate=1e30", "--set", "agent.schedule=fixed")
    done = genelab(*train_args(log_dir, *diverging))
    assert done.returncode == 1
    folder, fault = _guard(log_dir / "seed_1")
    assert (fault["phase"], fault["iteration"]) == ("update", 0)
    assert fault["mini_batch"] is not None
    assert not list((log_dir / "seed_1").glob("model_*.pt"))
    replayed = genelab("replay-guard", str(folder))
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "the same fault" in replayed.stdout


def test_a_directory_that_is_no_guard_is_refused(tmp_path: Path):
    done = genelab("replay-guard", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"error: '{tmp_path}' is no guard directory: it has no fault.json\n"
