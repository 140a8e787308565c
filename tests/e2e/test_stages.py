"""Two stages as one command, on the real robot at a very small budget."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.e2e.conftest import genelab, read, weights
from tests.robust.kill_checks import curve
from tests.robust.kill_process import Command, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e-stages")]

GO1, GO2W = "Genelab-Velocity-Flat-Unitree-Go1-v0", "Genelab-Velocity-Flat-Unitree-Go2W-v0"
MUJOCO = "env.sim.engine=mujoco"
# As many environments everywhere, ten cases of the probe included: Genesis compiles for each number anew.
SMALL = ("train.num_envs=10", "agent.save_interval=1")
OWN = [
    *(*SMALL, "train.iterations=5"),
    *("protocol.max_episode_s=0.4", "protocol.episodes=10"),
    *("protocol.num_envs=10", "protocol.round_trip_episodes=8"),
    *("probe.num_envs=1", "probe.warm_up_steps=2", "probe.measured_steps=3"),
]
BOTH = [*OWN, MUJOCO, *(f"stages.locked.{change}" for change in (*SMALL, "train.iterations=2", MUJOCO))]


def _args(log_dir: Path, changes: list[str], *options: str) -> list[str]:
    words = [word for change in changes for word in ("--set", change)]
    return ["train", GO2W, "--seeds", "1", *words, "--log_dir", str(log_dir), *options]


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both stages, trained without a break. Relative: what is published names no directory of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("stages"))
        done = genelab(*_args(Path("runs"), BOTH))
        assert done.returncode == 0, done.stdout + done.stderr
        yield Path("runs")


def test_a_kill_in_the_second_stage_costs_nothing(log_dir: Path, tmp_path: Path) -> None:
    whole, broken = log_dir / "seed_1", tmp_path / "runs" / "seed_1"
    args = _args(tmp_path / "runs", BOTH, "--no-eval")
    running = Command(args, tmp_path / "killed.log", Path.cwd())
    assert wait_for(lambda: _iterations_done(broken) > 2, running, every_s=0.005)
    assert running.kill("all")
    assert genelab(*args).returncode == 0
    ends = [attempt["end"] for attempt in read(broken / "run.json")["attempts"]]
    assert ends == ["finished", "killed", "finished"]
    assert weights(broken) == weights(whole)
    assert curve(broken) == curve(whole)
    assert [row["iteration"] for row in curve(whole)] == list(range(7))


def _iterations_done(seed: Path) -> int:
    curve = seed / "curve.jsonl"
    return curve.read_bytes().count(b"\n") if curve.exists() else 0


def test_a_checkpoint_by_hand_is_what_the_stage_before_would_be(log_dir: Path, tmp_path: Path) -> None:
    whole, by_hand = log_dir / "seed_1", tmp_path / "by_hand" / "seed_1"
    checkpoint = str(whole / "stage_locked.pt")
    done = genelab(*_args(by_hand.parent, [*OWN, MUJOCO], "--no-eval", "--checkpoint", checkpoint))
    assert done.returncode == 0, done.stdout + done.stderr
    assert weights(by_hand) == weights(whole)
    parent, [stage] = read(by_hand / "run.json")["parent"], read(whole / "run.json")["stages"]
    assert (parent["task"], parent["stage"], parent["iteration"]) == (GO2W, "locked", 2)
    assert parent["weights_sha256"] == stage["checkpoint"]["weights_sha256"]
    assert (by_hand / parent["path"]).resolve() == (whole / "stage_locked.pt").resolve()

    go1 = ["train", GO1, "--seeds", "1", "--log_dir", str(tmp_path / "go1")]
    wrong = genelab(*go1, "--checkpoint", str(whole / "model_final.pt"))
    assert wrong.returncode == 2
    assert f"model_final.pt' of '{GO2W}': there, the action is [" in wrong.stderr
    assert "FL_wheel_joint" in wrong.stderr
    assert not (tmp_path / "go1").exists()


def test_the_second_stage_starts_from_the_first_and_says_so(log_dir: Path, tmp_path: Path) -> None:
    second = log_dir / "seed_1"
    run, record = read(second / "run.json"), read(second / "eval.json")
    [stage] = run["stages"]
    assert stage["name"] == "locked"
    assert stage["checkpoint"]["sha256"] == hashlib.sha256((second / "stage_locked.pt").read_bytes()).hexdigest()
    assert stage["checkpoint"]["weights_sha256"] != weights(second)
    # The cost is that of both stages.
    assert run["timing"]["iterations"] == 2 + 5
    assert run["timing"]["env_steps"] == 7 * 24 * 10
    assert stage["timing"]["env_steps"] == 2 * 24 * 10
    assert 0.0 < stage["timing"]["train_wall_s"] < run["timing"]["train_wall_s"]
    assert record["timing"]["train"] == run["timing"]
    told = (second / "train.log").read_text()
    assert "warm start from 'stage_locked.pt': policy weights, value weights, normaliser statistics" in told
    assert [path.name for path in (second / "resume").iterdir()] == ["state.safetensors"]
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
    alone = genelab("probe", GO2W, str(second / "model_final.pt"), "--out", str(again))
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert read(again)["cases"] == probed["cases"]
    checked = genelab("check", str(log_dir))
    assert checked.returncode == 0, checked.stdout + checked.stderr

    film = tmp_path / "clip.mp4"
    filmed = genelab("video", GO2W, str(second / "model_final.pt"), "--out", str(film), "--seconds", "0.2")
    assert filmed.returncode == 0, filmed.stdout + filmed.stderr
    assert "5 frames, 25 a second" in filmed.stdout
    _assert_shows_something(film, pictures=5)

    store = tmp_path / "reference"
    added = genelab("reference", "add", str(log_dir), "--entry", "stages", "--store", str(store))
    assert added.returncode == 0, added.stdout + added.stderr
    (tmp_path / "docs").mkdir()
    rendered = genelab("render", "--store", str(store), "--docs", str(tmp_path / "docs"))
    assert rendered.returncode == 0, rendered.stdout + rendered.stderr
    page = (tmp_path / "docs" / "reference-runs.md").read_text()
    assert "Trained in stages: locked 2 iterations in" in page
    # The first stage had another budget than the registered one, which a table must not hide.
    assert "stages.locked.train.iterations 6000 → 2" in page
    assert "--set stages.locked.train.iterations=2" in page
    assert "share of the commanded distance" in page
    assert "| backward | -0.8 | 0 | 0 |" in page


@pytest.mark.sim
def test_the_second_stage_goes_on_in_the_other_simulator(log_dir: Path, tmp_path: Path) -> None:
    """In Genesis, where it is judged; from the exported file alone it is judged in MuJoCo as well."""
    seed, checkpoint = tmp_path / "runs" / "seed_1", str(log_dir / "seed_1" / "stage_locked.pt")
    done = genelab(*_args(seed.parent, OWN, "--checkpoint", checkpoint))
    assert done.returncode == 0, done.stdout + done.stderr
    record, probed = read(seed / "eval.json"), read(seed / "probe.json")
    assert (record["backend"]["engine"], probed["engine"], len(probed["cases"])) == ("genesis", "genesis", 10)
    assert record["round_trip"]["max_abs_difference"] == 0.0
    assert genelab("check", str(seed.parent)).returncode == 0

    contract = read(seed / "policy.onnx.metadata.json")
    assert contract["observation"]["input"]["shape"] == ["batch", 285]
    assert [row.get("age", 0) for row in contract["observation"]["terms"][::6]] == [4, 3, 2, 1, 0]
    k, wheel = next((k, j) for k, j in enumerate(contract["action"]["joints"]) if j["name"] == "FL_wheel_joint")
    assert (wheel["law"], wheel["kv"], contract["action"]["constants"]["scale"][k]) == ("velocity", 5.0, 20.0)

    # Five frames stacked from one at a time, as the contract says, or it ends with an error.
    judged = read(seed / "sim2sim.json")
    assert (judged["backend"]["engine"], len(judged["probe"])) == ("mujoco", 10)
    assert judged["episodes"]["index"] == record["episodes"]["index"]


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
