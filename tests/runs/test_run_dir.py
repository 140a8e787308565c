import json
from dataclasses import replace
from pathlib import Path

import pytest

from genelab.config.overrides import Override, apply_overrides
from genelab.config.run import ExecutionCfg
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.run import Failure, RunRecord, StageRecord
from genelab.records.seed_files import read_task
from genelab.registry import get_task
from genelab.runs.run_dir import KEPT_BYTES, RunDir
from genelab.runs.stamps import Stamps, collect
from tests.records.factory import backend_stamp, planned_run, train_timing, trained_checkpoint

TASK, OVERRIDES = apply_overrides(get_task("GeneLab-Inverted-Pendulum-v1"), ["train.num_envs=8"])


@pytest.fixture(scope="module")
def stamps() -> Stamps:
    return collect(TASK.package, "cpu", backend_stamp())


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    return create(tmp_path / "seed_2")


def create(path: Path) -> RunDir:
    cpu = ExecutionCfg(device="cpu")
    return planned_run(path, TASK, seed=2, seeds_planned=(1, 2), overrides=OVERRIDES, execution=cpu)


def test_a_new_run_holds_its_snapshot(run_dir: RunDir) -> None:
    assert run_dir.task() == TASK
    record = run_dir.load()
    assert (record.status, record.overrides[0].path, record.overrides[0].new) == ("planned", "train.num_envs", 8)
    assert json.loads(run_dir.record_file.read_text())["schema"] == "genelab/run/2"
    with pytest.raises(InputError, match="holds a run already"):
        create(run_dir.path)


def test_checkpoints_are_called_as_the_trainer_calls_them(run_dir: RunDir) -> None:
    assert run_dir.final_checkpoint.name == "model_final.pt"
    assert run_dir.checkpoint(7).name == "model_7.pt"
    agent = run_dir.params / "agent.json"
    text = agent.read_text()
    agent.write_text(text.replace('"rsl_rl"', '"stable_baselines3"'))
    assert run_dir.final_checkpoint.name == "model.zip"
    assert run_dir.checkpoint(7).name == "model_7.zip"
    for broken in (text.replace('"rsl_rl"', '"my_own"'), "[]", text.replace('"rsl_rl"', "[1]")):
        agent.write_text(broken)
        with pytest.raises(InputError, match="agent.json' names no trainer; known: rsl_rl, stable_baselines3"):
            _ = run_dir.final_checkpoint


def test_a_changed_snapshot_is_refused(run_dir: RunDir) -> None:
    task = run_dir.params / "task.json"
    task.write_text(task.read_text().replace('"num_envs": 8', '"num_envs": 9'))
    with pytest.raises(InputError, match="was changed after the launch"):
        run_dir.task()


def test_a_record_that_contradicts_itself_is_never_written(run_dir: RunDir) -> None:
    with pytest.raises(ValueError, match="failure must be given"):
        run_dir.update(status="failed")
    with pytest.raises(ValueError, match="needs a checkpoint"):
        run_dir.update(status="finished")
    assert run_dir.load().status == "planned"


def test_a_killed_attempt_is_closed_by_the_next(run_dir: RunDir, stamps: Stamps) -> None:
    run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=stamps)
    run_dir.note_progress(to_iteration=20, wall_s=2.0)
    leftover = run_dir.path / ".model_9.pt.1.tmp"
    leftover.write_text("half")

    run_dir.begin_attempt(from_iteration=20, device="cpu", stamps=stamps)
    assert not leftover.exists()
    record = run_dir.end_attempt("interrupted", to_iteration=30, wall_s=1.0, status="interrupted")
    first, second = record.attempts
    assert (first.end, first.to_iteration, first.ended_at) == ("killed", 20, None)
    assert (second.end, second.from_iteration, second.to_iteration) == ("interrupted", 20, 30)
    assert sum(attempt.wall_s or 0.0 for attempt in record.attempts) == 3.0
    assert record.status == "interrupted"


def test_a_resume_elsewhere_is_refused(run_dir: RunDir, stamps: Stamps) -> None:
    run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=stamps)
    other = replace(stamps, packages={**stamps.packages, "torch": "1.0"})
    with pytest.raises(InputError, match=r"torch: .* -> 1\.0; device: cpu -> cuda:0"):
        run_dir.begin_attempt(from_iteration=20, device="cuda:0", stamps=other)
    # From the start there are no sums to change.
    assert run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=other).packages == other.packages


def test_a_resume_on_another_backend_is_refused(run_dir: RunDir, stamps: Stamps) -> None:
    run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=stamps)
    # Variables that change no sum, one of which the launcher sets anew at each launch.
    names = ("CUDA_VISIBLE_DEVICES", "CUDA_VERSION", "TORCH_HOME", "OMP_PROC_BIND", "ONEDNN_VERBOSE")
    elsewhere = replace(stamps, backend=stamps.backend.replace(env=dict.fromkeys(names, "1")))
    run_dir.begin_attempt(from_iteration=10, device="cpu", stamps=elsewhere)
    backend = stamps.backend.replace(precision="64", env={"OMP_NUM_THREADS": "2", "QD_X": "1"})
    cpu = stamps.hardware.cpu.replace(model="Other")
    other = replace(stamps, backend=backend, hardware=stamps.hardware.replace(cpu=cpu))
    with pytest.raises(
        InputError,
        match=r"precision: 32 -> 64; .*model: .* -> Other; .*env\.OMP_NUM_THREADS: None -> 2; .*env\.QD_X: None -> 1",
    ):
        run_dir.begin_attempt(from_iteration=20, device="cpu", stamps=other)


def test_a_stage_may_begin_in_another_simulator_and_goes_on_in_its_own(run_dir: RunDir, stamps: Stamps) -> None:
    other = replace(stamps, backend=stamps.backend.replace(engine="mujoco", precision="64"))
    run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=other)
    done = StageRecord(
        name="gait",
        checkpoint=trained_checkpoint("stage_gait.pt", b"weights", 30),
        timing=train_timing(TASK, 30, 9.0),
        guards={},
    )
    run_dir.end_attempt("finished", to_iteration=30, wall_s=9.0, status="planned", stages=(done,))
    run_dir.begin_attempt(from_iteration=30, device="cpu", stamps=stamps)
    with pytest.raises(InputError, match=r"cannot resume, since its sums would change: backend\.engine: genesis -> "):
        run_dir.begin_attempt(from_iteration=40, device="cpu", stamps=other)


def test_every_state_of_the_code_is_kept(run_dir: RunDir, stamps: Stamps) -> None:
    run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=stamps)
    changed = tuple(code.replace(version="9.9.9") for code in stamps.code)
    run_dir.begin_attempt(from_iteration=5, device="cpu", stamps=replace(stamps, code=changed))
    assert run_dir.load().code == stamps.code + changed


def test_a_dead_process_leaves_a_failure_and_a_relaunch_forgets_it(run_dir: RunDir, stamps: Stamps) -> None:
    run_dir.begin_attempt(from_iteration=0, device="cpu", stamps=stamps)
    record = run_dir.mark_dead("killed", Failure(reason="crashed", detail="killed by SIGKILL"))
    assert (record.status, record.attempts[0].end) == ("failed", "killed")
    record = relaunched(run_dir, TASK, OVERRIDES)
    assert (record.status, record.failure, record.seeds_planned) == ("planned", None, (1, 2, 3))
    assert record.execution.requested == ExecutionCfg(device="cpu")


def relaunched(run_dir: RunDir, task: TaskSpec, overrides: list[Override]) -> RunRecord:
    return run_dir.relaunch(
        task=task,
        seeds_planned=(1, 2, 3),
        command=("again",),
        overrides=overrides,
        execution=ExecutionCfg(threads=2),
    )


def test_a_relaunch_takes_a_chosen_file_from_where_it_lies_now(tmp_path: Path) -> None:
    franka = get_task("GeneLab-Franka-Pick-And-Place-v0")
    old, new = tmp_path / "old.npz", tmp_path / "new.npz"
    old.write_bytes(b"demonstrations")
    task, overrides = apply_overrides(franka, [f"agent.demo_path={old}"])
    run_dir = planned_run(tmp_path / "seed_2", task, seed=2, overrides=overrides)
    before = run_dir.load()
    old.rename(new)
    record = relaunched(run_dir, *apply_overrides(franka, [f"agent.demo_path={new}"]))
    assert read_task(run_dir.params).agent.demo_path.resolve() == new
    assert record.config_sha256 == before.config_sha256
    assert record.overrides[0].new == str(new)
    # Another file is another configuration, which the plan refuses.
    new.write_bytes(b"others")
    relaunched(run_dir, *apply_overrides(franka, [f"agent.demo_path={new}"]))
    assert run_dir.load().config_sha256 == before.config_sha256
    assert run_dir.task() == task.model_copy(update={"agent": run_dir.task().agent})


def test_a_run_finds_its_chosen_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    franka = get_task("GeneLab-Franka-Pick-And-Place-v0")
    demos = tmp_path / "demos.npz"
    demos.write_bytes(b"demonstrations")
    task, overrides = apply_overrides(franka, [f"agent.demo_path={demos}"])
    planned_run(tmp_path / "sweep" / "seed_2", task, seed=2, overrides=overrides)
    (tmp_path / "sweep").rename(tmp_path / "moved")
    run_dir = RunDir(tmp_path / "moved" / "seed_2")
    copy = tmp_path / "moved" / "files" / f"{task.agent.demo_path.sha256}.npz"
    for content in (b"others", None):
        demos.write_bytes(content) if content else demos.unlink()
        assert run_dir.task().agent.demo_path.resolve() == copy
    # Without the copy, from where the variable points to, if that is the same file.
    copy.rename(tmp_path / "here.npz")
    with pytest.raises(InputError, match="cannot read this file"):
        run_dir.task().agent.demo_path.resolve()
    monkeypatch.setenv("GENELAB_SB3_DEMO_PATH", str(tmp_path / "here.npz"))
    assert run_dir.task().agent.demo_path.resolve() == tmp_path / "here.npz"
    (tmp_path / "here.npz").write_bytes(b"others")
    with pytest.raises(InputError, match="was changed since it was chosen"):
        run_dir.task().agent.demo_path.resolve()


def test_a_large_chosen_file_is_not_copied(tmp_path: Path) -> None:
    demos = tmp_path / "demos.npz"
    demos.write_bytes(bytes(KEPT_BYTES + 1))
    task, overrides = apply_overrides(get_task("GeneLab-Franka-Pick-And-Place-v0"), [f"agent.demo_path={demos}"])
    run_dir = planned_run(tmp_path / "sweep" / "seed_2", task, seed=2, overrides=overrides)
    assert not (tmp_path / "sweep" / "files").exists()
    assert run_dir.task().agent.demo_path.resolve() == demos
