import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

from genelab import registry
from genelab.cli import run
from genelab.config.overrides import apply_overrides
from genelab.hub.verify import chosen_hint, compare
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from tests.hub.conftest import REPO
from tests.hub.fake_hub import FakeHub
from tests.records.factory import everything

TASK = "GeneLab-Inverted-Pendulum-v1"
NAME = f"{TASK}/tiny"
TINY = (
    *("train", TASK, "--seeds", "1", "--engine", "mujoco", "--iterations", "2", "--num-envs", "16"),
    *("--set", "protocol.episodes=8", "--set", "protocol.num_envs=8", "--set", "protocol.round_trip_episodes=4"),
)


@pytest.fixture
def first(toys: Path) -> EvalRecord:
    return read_record(toys / "Toy-v1" / "first" / "seed_1" / "eval.json", EvalRecord)


def shifted(record: EvalRecord, by: Callable[[int], float]) -> EvalRecord:
    returns = tuple(value + by(k) for k, value in enumerate(record.episodes.return_))
    return record.replace(episodes=record.episodes.replace(**{"return": returns}))


def elsewhere(record: EvalRecord) -> EvalRecord:
    cpu = record.hardware.cpu.replace(model="Another CPU")
    return record.replace(hardware=record.hardware.replace(cpu=cpu))


def test_equal_episodes_agree_on_any_machine(first: EvalRecord) -> None:
    for again in (first, elsewhere(first)):
        assert compare(first, again) == ("ok", "8 episodes and the baselines are equal to the last bit")


def test_the_last_bit_counts_on_the_same_kind_of_machine(first: EvalRecord) -> None:
    word, told = compare(first, shifted(first, lambda k: 1e-12 if k == 3 else 0.0))
    assert word == "differs"
    assert told.startswith("not equal on the same kind of machine: mean return 39.100, the entry has 39.100; 1 of 8")
    idle = first.baselines.idle
    other = idle.replace(episodes=shifted(first.replace(episodes=idle.episodes), lambda _: 1e-9).episodes)
    assert compare(first, first.replace(baselines=first.baselines.replace(idle=other))).word == "differs"


def test_elsewhere_returns_are_compared_in_pairs(first: EvalRecord) -> None:
    # Differences of -1 and 1.5: mean 0.25, s = 1.3363, half width 2.36462 x 1.3363 / sqrt(8) = 1.1172.
    word, told = compare(first, shifted(elsewhere(first), lambda k: -1.0 if k % 2 else 1.5))
    assert word == "ok"
    assert "elsewhere (hardware.cpu.model: Toy CPU -> Another CPU)" in told
    assert told.endswith("8 of 8 returns differ, on average by 0.25 (95 % interval -0.867 to 1.37)")
    # Clear, but within 5 % of 39.1.
    assert compare(first, shifted(elsewhere(first), lambda _: -1.5)).word == "ok"
    assert compare(first, shifted(elsewhere(first), lambda _: -2.5)).word == "differs"
    # As large, but not clear: an interval that holds 0 proves nothing if it is wide.
    assert compare(first, shifted(elsewhere(first), lambda k: -20.0 if k == 0 else 0.0)).word == "undecided"


def test_an_evaluation_that_fails_names_the_chosen_file(tmp_path: Path) -> None:
    (tmp_path / "dance").write_bytes(b"clip")
    path, task = "env.parts.motion.params.clip", registry.get_task("Genelab-Tracking-Flat-Unitree-G1-v0")
    assert chosen_hint(task) == ""
    made, _ = apply_overrides(task, [f"{path}={tmp_path / 'dance'}"])
    assert chosen_hint(made) == f"; an entry holds no chosen files ({path}: set GENELAB_MOTION_FILE to it)"


@pytest.mark.e2e
@pytest.mark.slow
def test_a_trained_policy_is_pushed_listed_pulled_verified_and_exported(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def here(*words: str, code: int = 0) -> str:
        assert run(words) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    here(*TINY, "--log-dir", "run")
    here("reference", "add", "run", "--entry", "tiny")
    assert f"{NAME} is at {fake.url}/datasets/{REPO}/tree/" in here("hub", "push", NAME, "--repo", REPO)
    assert here("hub", "list", "--repo", REPO).startswith(f"{NAME}  ")
    here("hub", "pull", NAME, "--repo", REPO, "--store", "other")
    assert everything(tmp_path / "other" / NAME) == everything(tmp_path / "reference" / NAME)
    here("check", "reference", "other", "--weights")
    told = here("hub", "verify", NAME, "--repo", REPO)
    assert f"ok: {NAME} seed 1: 8 episodes and the baselines are equal to the last bit" in told

    policy = ("hub", "push-policy", NAME, "--repo", "toys/pendulum", "--seed")
    here(*policy, "1")
    files = fake.files("toys/pendulum", "models")
    assert {"policy/policy.onnx", "policy/run_policy.py", "policy/SHA256SUMS", "curves.svg"} < set(files)
    assert Image.open(io.BytesIO(files["film.png"])).size == (1920, 540)
    [result] = ModelCard(files["README.md"].decode()).data.eval_results  # pyright: ignore
    record = json.loads((tmp_path / "reference" / NAME / "seed_1" / "eval.json").read_text())
    assert (result.metric_type, result.metric_value) == ("mean_reward", record["metrics"]["return_mean"])
    assert result.source_url == f"{fake.url}/datasets/{REPO}/tree/{fake.commits(REPO)[-1].sha}/{NAME}"

    assert here(*policy, "2", code=2) == f"error: --seed 2: entry '{NAME}' has the seeds 1\n"
    (tmp_path / "reference" / NAME).rename(tmp_path / "reference" / TASK / "moved")
    told = here("hub", "push", NAME, "--repo", REPO, code=2)
    assert told == f"error: 'reference' has no entry '{NAME}'\n"
