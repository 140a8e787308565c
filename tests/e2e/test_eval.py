import shutil
from pathlib import Path

import pytest

import genelab_cartpole
from genelab.learn.round_trip import read_round_trip, write_round_trip
from tests.e2e.conftest import TASK, apart, genelab, read, train_args
from tests.records.factory import edit

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]


def test_the_same_evaluation_gives_the_same_episodes_for_any_number_of_environments(
    genesis_sweep: Path, sweep: Path, tmp_path: Path
):
    for run, trained, num_envs in ((apart, genesis_sweep, 4), (genelab, sweep, 5)):
        out, checkpoint = tmp_path / f"{num_envs}.json", trained / "seed_1" / "model_final.pt"
        done = run("eval", TASK, str(checkpoint), "--num-envs", str(num_envs), "--out", str(out))
        assert done.returncode == 0, done.stderr
        again, usual = read(out), read(trained / "seed_1" / "eval.json")
        assert again["episodes"] == usual["episodes"]
        assert again["baselines"] == usual["baselines"]
        assert [record["protocol"]["num_envs"] for record in (again, usual)] == [num_envs, 16]


def test_another_evaluation_seed_gives_other_episodes(sweep: Path, tmp_path: Path):
    out = tmp_path / "eval.json"
    checkpoint = sweep / "seed_1" / "model_final.pt"
    done = genelab("eval", TASK, str(checkpoint), "--seed", "1", "--episodes", "4", "--out", str(out))
    assert done.returncode == 0, done.stderr
    other, usual = read(out), read(sweep / "seed_1" / "eval.json")
    assert other["episodes"]["return"] != usual["episodes"]["return"][:4]
    assert other["round_trip"] is None
    # The small budget of these tests is a difference from the registered task, and is told.
    assert "differs from the registry: task.train.iterations: run 7, registry 150" in done.stdout


def test_a_default_that_changed_after_training_changes_no_number_and_is_told(sweep: Path, tmp_path: Path):
    """The installed task package is edited after the training: its reward, its horizon and its learner."""
    package = tmp_path / "edited" / "genelab_cartpole"
    shutil.copytree(Path(genelab_cartpole.__file__).parent, package)
    source = package / "inverted_pendulum.py"
    text = source.read_text()
    for old, new in (("weight=1.0", "weight=7.0"), ("episode_length_s=10.0", "episode_length_s=2.0")):
        assert old in text
        text = text.replace(old, new)
    source.write_text(text)

    checkpoint, usual = sweep / "seed_1" / "model_final.pt", read(sweep / "seed_1" / "eval.json")
    told, records = {}, {}
    for config in ("run", "registry"):
        out = tmp_path / f"by_{config}.json"
        done = apart("eval", TASK, str(checkpoint), "--config", config, "--out", str(out), path=package.parent)
        assert done.returncode == 0, done.stderr
        told[config], records[config] = done.stdout, read(out)
    for name in ("episodes", "metrics", "baselines", "protocol", "config", "round_trip"):
        assert records["run"][name] == usual[name]
    changed = {d["path"]: (d["run"], d["registry"]) for d in records["run"]["differences_from_registry"]}
    assert changed["env.episode_length_s"] == (10.0, 2.0)
    assert changed["env.rewards.alive.weight"] == (1.0, 7.0)
    assert "differs from the registry: env.rewards.alive.weight: run 1.0, registry 7.0" in told["run"]
    # The change would have shown: the task as installed earns something else.
    assert records["registry"]["episodes"]["return"] != usual["episodes"]["return"]
    assert records["registry"]["config"]["source"] == "registry"


def test_a_checkpoint_from_the_way_is_not_called_the_last(sweep: Path, tmp_path: Path):
    out = tmp_path / "eval.json"
    done = genelab("eval", TASK, str(sweep / "seed_1" / "model_1.pt"), "--episodes", "2", "--out", str(out))
    assert done.returncode == 0, done.stderr
    record = read(out)
    assert (record["checkpoint"]["selection"], record["checkpoint"]["iteration"]) == ("chosen", 2)
    assert record["round_trip"] is None
    assert read(sweep / "seed_1" / "eval.json")["checkpoint"]["selection"] == "last"


def test_a_reload_that_earns_something_else_fails_the_evaluation_and_the_seed(sweep: Path, tmp_path: Path):
    """As if the policy in memory had been another one than the file holds."""
    log_dir = tmp_path / "runs"
    shutil.copytree(sweep, log_dir)
    run = log_dir / "seed_1"
    _earned_otherwise(run)
    done = genelab("eval", TASK, str(run / "model_final.pt"))
    assert done.returncode == 1
    assert "the reloaded policy does not earn what the one in memory did" in done.stderr

    (run / "eval.json").unlink()
    args = train_args(log_dir, "--parallel", "2", seeds=(1, 2))
    again = genelab(*args)
    assert again.returncode == 1
    assert "round trip: returns of the reloaded policy differ by up to 0.25" in again.stdout
    assert "1/2" in again.stdout or "seed 1: failed" in again.stdout


def _earned_otherwise(run: Path) -> None:
    """As if the policy in memory had earned 0.25 more in episode 3."""
    path = run / "round_trip.safetensors"
    memory = read_round_trip(path)
    returns = [*memory.returns[:3], memory.returns[3] + 0.25, *memory.returns[4:]]
    write_round_trip(path, memory.weights_sha256, returns, memory.observations)


def test_returns_need_not_be_those_of_other_threads_or_another_processor(sweep: Path, tmp_path: Path):
    """As if the run had been trained elsewhere, as its stamps say, and the policy had earned otherwise there."""
    log_dir, out = tmp_path / "runs", tmp_path / "eval.json"
    shutil.copytree(sweep, log_dir)
    run = log_dir / "seed_1"
    _earned_otherwise(run)
    done = genelab("eval", TASK, str(run / "model_final.pt"), "--threads", "2", "--out", str(out))
    assert done.returncode == 0, done.stderr
    told = "backend.torch.num_threads: 1 -> 2"
    assert f"returns not comparable bit for bit ({told})" in done.stdout
    assert (read(out)["round_trip"]["differs"], read(out)["round_trip"]["passed"]) == ([told], False)

    (run / "eval.json").unlink()
    model = read(run / "run.json")["hardware"]["cpu"]["model"]
    edit(run / "run.json", lambda record: record["hardware"]["cpu"].update(model="Another Processor"))
    edit(run / "run.json", lambda record: record.update(status="trained"))
    again = genelab(*train_args(log_dir, "--parallel", "2", seeds=(1, 2)))
    assert again.returncode == 0, again.stdout
    assert read(run / "eval.json")["round_trip"]["differs"] == [f"hardware.cpu.model: Another Processor -> {model}"]
    assert genelab("check", str(log_dir)).returncode == 0


def test_a_checkpoint_of_another_seed_is_refused(sweep: Path, tmp_path: Path):
    """All seeds share their config; what differs is the weights."""
    run = tmp_path / "seed_1"
    shutil.copytree(sweep / "seed_1", run)
    shutil.copy(sweep / "seed_2" / "model_final.pt", run)
    for command in (("eval", TASK), ("export", TASK)):
        more = ("--format", "onnx", "--out", str(tmp_path / "policy.onnx")) if command[0] == "export" else ()
        done = genelab(*command, str(run / "model_final.pt"), *more)
        assert done.returncode == 2
        assert f"ended with {read(run / 'run.json')['checkpoint']['weights_sha256'][:12]}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
