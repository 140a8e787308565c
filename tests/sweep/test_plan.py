import json
import shutil
from pathlib import Path

import pytest

from genelab.config.overrides import apply_overrides
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.errors import InputError
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.sweep.plan import SweepPlan, make_plan

from .harness import Sweep
from .launch import ASSIGNMENTS

TASK_ID = "GeneLab-Inverted-Pendulum-v1"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seed 1 finished, seed 2 failed, seed 3 stopped in training."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        sweep = Sweep(tmp_path_factory.mktemp("trained") / "sweep", monkeypatch)
        sweep.behave(s2="fail", s3="selfstop")
        assert sweep.run(seeds=(1, 2, 3), parallel=3) == 1
    return sweep.log_dir


def plan(
    log_dir: Path, *assignments: str, task: str = TASK_ID, execution: ExecutionCfg | None = None, **fields: object
) -> SweepPlan:
    spec, overrides = apply_overrides(get_task(task), [*ASSIGNMENTS, *assignments])
    cfg = LaunchCfg.model_validate({"log_dir": str(log_dir), "seeds": (1, 2, 3), **fields})
    return make_plan(spec, overrides, execution or ExecutionCfg(), cfg)


def test_each_seed_goes_on_where_it_stands(trained: Path) -> None:
    found = plan(trained, seeds=(1, 2, 3, 7))
    assert [(seed.seed, seed.action, seed.why) for seed in found.seeds] == [
        (1, "skip", "finished"),
        (2, "retry", "diverged: loss is not finite"),
        (3, "resume", "interrupted, 3 iterations saved"),
        (7, "train", "new"),
    ]
    assert plan(trained, seeds=(9,)).planned == (1, 2, 3, 9)


def test_the_plan_is_told(tmp_path: Path) -> None:
    lines = plan(tmp_path / "new", "env.sim.dt=0.005", parallel=64, execution=ExecutionCfg(threads=2)).lines()
    assert "override   train.num_envs: 4096 -> 8" in lines
    assert "override   env.sim.dt: 0.005 -> 0.005 (no effect)" in lines
    assert "budget     10 iterations x 24 steps x 8 environments" in lines
    assert "seed 1     train: new" in lines
    assert not (tmp_path / "new").exists()


def test_another_configuration_is_refused_with_every_difference(trained: Path) -> None:
    with pytest.raises(InputError) as caught:
        plan(trained, "agent.gamma=0.5", "protocol.seed=7")
    message = str(caught.value)
    assert "agent.gamma: 0.99 -> 0.5" in message
    assert "protocol.seed: 0 -> 7" in message
    assert "\n" not in message


def test_another_task_is_refused(trained: Path) -> None:
    with pytest.raises(InputError, match=f"holds task '{TASK_ID}', not 'GeneLab-Double"):
        plan(trained, task="GeneLab-Double-Inverted-Pendulum-v1")


def test_a_started_seed_keeps_threads_and_device(trained: Path) -> None:
    with pytest.raises(InputError, match="float sums would change: threads: 1 -> 2"):
        plan(trained, execution=ExecutionCfg(threads=2))
    with pytest.raises(InputError, match='device: "auto" -> "cuda:1"'):
        plan(trained, execution=ExecutionCfg(device="cuda:1"))
    # It ran on the CPU: asking for what it got changes nothing.
    plan(trained, execution=ExecutionCfg(device="cpu"))


def test_a_directory_of_the_same_task_without_sweep_json_is_checked_too(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "seed_1", tmp_path / "seed_1")
    assert plan(tmp_path).seeds[0].action == "skip"
    with pytest.raises(InputError, match=r"agent\.gamma: 0\.99 -> 0\.5"):
        plan(tmp_path, "agent.gamma=0.5")
    shutil.copytree(trained / "seed_1", tmp_path / "seed_2")
    with pytest.raises(InputError, match="seed_2' holds seed 1"):
        plan(tmp_path)


def test_a_finished_seed_without_its_record_is_evaluated_again(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "copy")
    run = RunDir(tmp_path / "copy" / "seed_1")
    run.eval_file.unlink()
    assert plan(tmp_path / "copy").seeds[0].action == "evaluate"
    assert plan(tmp_path / "copy", evaluate=False).seeds[0].action == "skip"
    run.final_checkpoint.unlink()
    with pytest.raises(InputError, match=r"model_final\.pt is missing"):
        plan(tmp_path / "copy")


def test_a_broken_record_is_named(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "copy")
    run = RunDir(tmp_path / "copy" / "seed_1")
    run.eval_file.write_text(run.eval_file.read_text().replace('"return_mean": 39.0', '"return_mean": NaN', 1))
    with pytest.raises(InputError, match=r"seed_1/eval\.json'.*NaN"):
        plan(tmp_path / "copy")
    (tmp_path / "copy" / "sweep.json").write_text(json.dumps({"schema": "genelab/sweep/3"}))
    with pytest.raises(InputError, match=r"sweep\.json'.*schema = 'genelab/sweep/3'"):
        plan(tmp_path / "copy")


def test_a_seed_directory_with_foreign_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seed_2").mkdir()
    (tmp_path / "seed_2" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"seed_2' holds no run\.json but thesis\.txt"):
        plan(tmp_path)


@pytest.mark.slow
def test_what_a_killed_launch_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leftovers = [tmp_path / "seed_1" / ".run.json.7.tmp", tmp_path / "seed_1" / "params" / ".env.json.7.tmp"]
    leftovers[1].parent.mkdir(parents=True)
    for path in leftovers:
        path.write_text("half")
    assert plan(tmp_path).seeds[0].action == "train"
    assert Sweep(tmp_path, monkeypatch).run(seeds=(1,)) == 0
    assert not any(path.exists() for path in leftovers)


def test_seeds_are_read_from_text() -> None:
    assert LaunchCfg.model_validate({"seeds": "3,1, 2"}).seeds == (3, 1, 2)
