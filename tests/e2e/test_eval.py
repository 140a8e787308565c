import shutil
from pathlib import Path

import pytest
import torch

from tests.e2e.conftest import TASK, genelab, read

pytestmark = [pytest.mark.e2e, pytest.mark.sim, pytest.mark.xdist_group("e2e")]


def test_the_same_evaluation_gives_the_same_episodes_for_any_number_of_environments(sweep: Path, tmp_path: Path):
    checkpoint = sweep / "seed_1" / "model_final.pt"
    records = []
    for k, num_envs in enumerate(("16", "5")):
        out = tmp_path / f"{k}.json"
        done = genelab("eval", TASK, str(checkpoint), "--num-envs", num_envs, "--out", str(out))
        assert done.returncode == 0, done.stderr
        records.append(read(out))
    records.append(read(sweep / "seed_1" / "eval.json"))
    for record in records[1:]:
        assert record["episodes"] == records[0]["episodes"]
        assert record["baselines"] == records[0]["baselines"]
    assert records[1]["protocol"]["num_envs"] == 5


def test_another_evaluation_seed_gives_other_episodes(sweep: Path, tmp_path: Path):
    out = tmp_path / "eval.json"
    checkpoint = sweep / "seed_1" / "model_final.pt"
    done = genelab("eval", TASK, str(checkpoint), "--seed", "1", "--episodes", "4", "--out", str(out))
    assert done.returncode == 0, done.stderr
    other, usual = read(out), read(sweep / "seed_1" / "eval.json")
    assert other["episodes"]["return"] != usual["episodes"]["return"][:4]
    assert other["round_trip"] is None
    # The small budget of these tests is a difference from the registered task, and is told.
    assert "differs from the registry: task.budget.iterations: run 7, registry 150" in done.stdout


def test_a_checkpoint_from_the_way_is_not_called_the_last(sweep: Path, tmp_path: Path):
    out = tmp_path / "eval.json"
    done = genelab("eval", TASK, str(sweep / "seed_1" / "model_1.pt"), "--episodes", "2", "--out", str(out))
    assert done.returncode == 0, done.stderr
    record = read(out)
    assert (record["checkpoint"]["selection"], record["checkpoint"]["iteration"]) == ("chosen", 2)
    assert record["round_trip"] is None
    assert read(sweep / "seed_1" / "eval.json")["checkpoint"]["selection"] == "last"


def _refused(sweep: Path, checkpoint: Path, *more: str, task: str = TASK) -> str:
    done = genelab("eval", task, str(checkpoint), *more)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_bad_checkpoints_are_refused_in_one_line(sweep: Path, tmp_path: Path):
    run = tmp_path / "seed_1"
    shutil.copytree(sweep / "seed_1", run)
    final = run / "model_final.pt"
    whole = final.read_bytes()
    assert "does not exist" in _refused(sweep, run / "model_99.pt")
    assert "no run.json" in _refused(sweep, Path(shutil.copy(final, tmp_path / "alone.pt")))
    assert "was trained on" in _refused(sweep, final, task="GeneLab-Inverted-Pendulum-v0")
    assert "nearest: GeneLab-Inverted-Pendulum-v" in _refused(sweep, final, task="GeneLab-Inverted-Pendulum-v7")
    assert "--episodes" in _refused(sweep, final, "--episodes", "0")
    assert "is not a directory" in _refused(sweep, final, "--out", str(tmp_path / "missing" / "eval.json"))
    final.write_bytes(whole[: len(whole) // 2])
    assert "torn" in _refused(sweep, final)
    final.write_bytes(whole)

    data = torch.load(final, weights_only=True)
    torch.save({**data, "config_sha256": "0" * 64}, final)
    assert "belongs to config 000000000000" in _refused(sweep, final)
    data["actor"]["mlp.0.weight"][0, 0] = float("nan")
    torch.save(data, final)
    assert "non-finite" in _refused(sweep, final)
    (run / "params" / "env.json").write_text((run / "params" / "env.json").read_text().replace("0.005", "0.004", 1))
    assert "was changed after the launch" in _refused(sweep, final)
