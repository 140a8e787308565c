"""Two stages as one command, on the real robot at a very small budget."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.e2e.conftest import curve, genelab, read, weights

# Two trainings and two evaluations, each of which may compile the simulator's kernels.
pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e-stages"), pytest.mark.timeout(1500)]

GO1 = "Genelab-Velocity-Flat-Unitree-Go1-v0"
STAGE_1, STAGE_2 = "Genelab-Velocity-Flat-Unitree-Go2W-CrabStage1-v0", "Genelab-Velocity-Flat-Unitree-Go2W-v0"
# As many environments everywhere as in the other tests of this robot: the simulator compiles for each number anew.
BOTH = (
    *("train.num_envs=8", "train.iterations=2", "agent.save_interval=1", "protocol.max_episode_s=0.4"),
    *("probe.num_envs=1", "probe.warm_up_steps=2", "probe.measured_steps=3"),
)
EPISODES = ("protocol.episodes=10", "protocol.num_envs=8", "protocol.round_trip_episodes=8")


OWN = [word for change in (*BOTH, *EPISODES) for word in ("--set", change)]
BEFORE = [word for change in (*BOTH, *EPISODES) for word in ("--stage-set", change)]


def _args(log_dir: Path) -> list[str]:
    return ["train", STAGE_2, "--seeds", "1", *OWN, *BEFORE, "--log_dir", str(log_dir)]


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both stages, trained without a break. Relative: what is published names no directory of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("stages"))
        done = genelab(*_args(Path("runs")), timeout=1500)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Path("runs")


def test_a_kill_in_either_stage_costs_nothing(log_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    from kill_process import Command, wait_for

    broken = tmp_path / "runs"
    first, second = broken / "stages" / STAGE_1 / "seed_1", broken / "seed_1"
    args = [*_args(broken), "--no-eval"]
    for stage in (first, second):
        running = Command(args, tmp_path / "killed.log", Path.cwd())
        assert wait_for((stage / "curve.jsonl").exists, running)
        assert running.kill("all")
    assert genelab(*args).returncode == 0
    for stage, whole in ((first, log_dir / "stages" / STAGE_1 / "seed_1"), (second, log_dir / "seed_1")):
        ends = [attempt["end"] for attempt in read(stage / "run.json")["attempts"]]
        assert ends == ["killed", "finished"]
        assert weights(stage) == weights(whole)
        assert curve(stage) == curve(whole)


def test_a_checkpoint_by_hand_is_what_the_stage_before_would_be(log_dir: Path, tmp_path: Path) -> None:
    first, second = log_dir / "stages" / STAGE_1 / "seed_1", log_dir / "seed_1"
    by_hand = tmp_path / "by_hand"
    args = ["train", STAGE_2, "--seeds", "1", *OWN, "--no-eval", "--log_dir", str(by_hand)]
    done = genelab(*args, "--checkpoint", str(first / "model_final.pt"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert weights(by_hand / "seed_1") == weights(second)
    mine, theirs = (read(path / "run.json")["parent"] for path in (by_hand / "seed_1", second))
    assert {**mine, "path": ""} == {**theirs, "path": ""}
    other = genelab(*args, "--checkpoint", str(second / "model_final.pt"))
    assert other.returncode == 2
    assert f"is of {STAGE_2}: '{STAGE_2}' starts from {STAGE_1}; --set warm_start=null" in other.stderr

    go1 = ["train", GO1, "--seeds", "1", "--log_dir", str(tmp_path / "go1")]
    wrong = genelab(*go1, "--checkpoint", str(first / "model_final.pt"))
    assert wrong.returncode == 2
    assert f"model_final.pt' of '{STAGE_1}': its actions are [" in wrong.stderr
    assert "FL_wheel_joint" in wrong.stderr
    assert not (tmp_path / "go1").exists()


def test_the_second_stage_starts_from_the_first_and_says_so(log_dir: Path, tmp_path: Path) -> None:
    first, second = log_dir / "stages" / STAGE_1 / "seed_1", log_dir / "seed_1"
    parent = read(second / "run.json")["parent"]
    assert parent["task"] == STAGE_1
    assert parent["sha256"] == hashlib.sha256((first / "model_final.pt").read_bytes()).hexdigest()
    assert parent["weights_sha256"] == weights(first) != weights(second)
    assert parent["config_sha256"] == read(first / "run.json")["config_sha256"]
    assert (second / parent["path"]).resolve() == (first / "model_final.pt").resolve()
    record = read(second / "eval.json")
    assert record["run"]["parent"] == parent
    assert "parent" not in read(first / "run.json")
    assert "train.iterations" in {change["path"] for change in parent["overrides"]}
    wheels = ", ".join(f"{leg}_wheel_joint" for leg in ("FL", "FR", "RL", "RR"))
    assert parent["fresh"] == [
        "optimiser",
        "iteration count",
        f"action noise and statistics of {wheels}",
        f"mean action and input weights of {wheels}, from 0",
    ]
    assert parent["loaded"][:3] == ["policy weights", "value weights", "normaliser statistics"]
    told = (second / "train.log").read_text()
    assert "warm start from '../stages/" in told
    # Beside the return stands what doing nothing gets.
    for measured in (record, record["baselines"]["idle"], record["baselines"]["random"]):
        assert set(measured["metrics"]["measures"]) == {
            "commanded_speed",
            "speed_along_command",
            "lin_vel_error",
            "turn_error",
        }
        assert measured["metrics"]["fall_rate"] is not None
    probed = read(second / "probe.json")
    assert probed["weights_sha256"] == weights(second)
    assert len(probed["cases"]) == 10
    assert all(len(case["achieved"]) == 1 for case in probed["cases"])
    assert (second / "probe.svg").read_text().startswith("<?xml")
    # In a process of its own, without an evaluation before it.
    again = tmp_path / "again.json"
    alone = genelab("probe", STAGE_2, str(second / "model_final.pt"), "--out", str(again))
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert read(again)["cases"] == probed["cases"]
    checked = genelab("check", str(log_dir))
    assert checked.returncode == 0, checked.stdout + checked.stderr

    again = genelab(*_args(log_dir))
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count("skip: finished") >= 2
    assert read(second / "run.json")["attempts"] == read(second / "run.json")["attempts"][:1]

    (tmp_path / "policy").mkdir()
    policy = tmp_path / "policy" / "policy.onnx"
    exported = genelab("export", STAGE_2, str(second / "model_final.pt"), "--format", "onnx", "--out", str(policy))
    assert exported.returncode == 0, exported.stdout + exported.stderr
    contract = read(tmp_path / "policy" / "policy.onnx.metadata.json")
    assert contract["observation"]["input"]["shape"] == ["batch", 285]
    assert [row.get("age", 0) for row in contract["observation"]["terms"][::6]] == [4, 3, 2, 1, 0]
    k, wheel = next((k, j) for k, j in enumerate(contract["action"]["joints"]) if j["name"] == "FL_wheel_joint")
    assert (wheel["law"], wheel["kv"], contract["action"]["constants"]["scale"][k]) == ("velocity", 5.0, 20.0)

    rolled = genelab("rollout-export", STAGE_2, str(second / "model_final.pt"), str(policy))
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
    # Five frames stacked from one at a time, as the contract says.
    assert "inputs    largest difference 0\n" in rolled.stdout
    film = tmp_path / "clip.mp4"
    filmed = genelab("video", STAGE_2, str(second / "model_final.pt"), "--out", str(film), "--seconds", "0.2")
    assert filmed.returncode == 0, filmed.stdout + filmed.stderr
    assert "5 pictures, 25 a second" in filmed.stdout
    _assert_shows_something(film, pictures=5)

    store = tmp_path / "reference"
    added = genelab(
        *("reference", "add", str(log_dir), "--entry", "stages", "--store", str(store), "--policy", str(policy.parent))
    )
    assert added.returncode == 0, added.stdout + added.stderr
    (tmp_path / "docs").mkdir()
    rendered = genelab("render", "--store", str(store), "--docs", str(tmp_path / "docs"))
    assert rendered.returncode == 0, rendered.stdout + rendered.stderr
    page = (tmp_path / "docs" / "reference-runs.md").read_text()
    assert f"Started from: seed 1: {STAGE_1} seed 1, iteration 2" in page
    # The first stage had another budget than the registered one, which a table must not hide.
    assert "not the stage before as it is registered" in page
    assert "--stage-set train.iterations=2" in page
    assert "share of the commanded way" in page
    assert "| backward | -0.8 | 0 | 0 |" in page


def _assert_shows_something(film: Path, pictures: int) -> None:
    """Not one colour all over, in any picture; and with the green of the command in the dial."""
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert len(frames) == pictures
    for frame in frames:
        assert frame.shape == (540, 960, 3)
        assert frame.std() > 10.0
        red, green, blue = frame[:150, -150:].reshape(-1, 3).T
        assert ((green - red > 60) & (green - blue > 40)).any()
