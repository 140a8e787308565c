"""Writes a synthetic but complete sweep directory: every file a finished training leaves, without a simulator."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from genelab.config.actions import JointTargetsCfg
from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.env import EnvCfg
from genelab.config.run import ExecutionCfg
from genelab.config.scene import GroundCfg, SimCfg
from genelab.config.snapshot import config_sha256, dump_task
from genelab.config.stage import TrainCfg
from genelab.config.task import ProbeCfg, ProtocolCfg, TaskSpec
from genelab.config.terms import (
    CommandCfg,
    MeasureCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    ResetEventCfg,
    RewardTermCfg,
)
from genelab.config.terrain import FlatCfg, TerrainCfg
from genelab.records.base import Record
from genelab.records.contract import action_of, goal_of, input_names, observation_of, robot_of, timing_of
from genelab.records.derived import baseline_of, metrics_of, round_trip_of
from genelab.records.eval import (
    Baselines,
    Checkpoint,
    ConfigRef,
    Episodes,
    EvalRecord,
    RunRef,
    Timing,
    protocol_as_used,
)
from genelab.records.export import ExportRecord, Parity
from genelab.records.probe import ProbeRecord, case_of
from genelab.records.run import Attempt, ExecutionRecord, RunRecord, StageRecord, TrainedCheckpoint, TrainTiming
from genelab.records.sim2sim import Sim2SimRecord
from genelab.records.stamps import BackendStamp, CodeStamp, CpuStamp, HardwareStamp, TorchStamp
from genelab.records.statistics import above_idle
from genelab.records.sweep import SeedEntry, SweepRecord
from genelab.registry import get_task
from genelab.runs.lock import LOCK_NAME
from genelab.runs.run_dir import RunDir

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EPISODES = 8
MAX_STEPS = 100
ITERATIONS = 30
PACKAGES = {
    "python": "3.11.9",
    "genelab": "0.1.0",
    "genesis-world": "1.4.5",
    "quadrants": "1.0",
    "torch": "2.9.0",
    "numpy": "2.4.0",
}

CurveOf = Callable[[int, int], float | None]
"""(seed, iteration) -> episode_return."""


def make_task(task_id: str = "Toy-v1", **changes: Any) -> TaskSpec:
    """A small valid task. Its function references need not exist."""
    env = EnvCfg(
        decimation=2,
        episode_length_s=1.0,
        sim=SimCfg(),
        robot=get_task("GeneLab-Inverted-Pendulum-v1").env.robot,
        action=JointTargetsCfg(joints=("slider",)),
        observations={
            "policy": ObservationGroupCfg(terms={"pos": ObservationTermCfg(func="toy.mdp:pos")}, noise=True),
            "critic": ObservationGroupCfg(terms={"pos": ObservationTermCfg(func="toy.mdp:pos")}, noise=False),
        },
        rewards={"alive": RewardTermCfg(func="toy.mdp:alive", weight=1.0)},
        terminations={},
        reset_events={"joints": ResetEventCfg(func="toy.mdp:reset")},
    )
    agent = PpoCfg(
        actor=NetworkCfg(hidden_dims=(8,)), critic=NetworkCfg(hidden_dims=(8,)), save_interval=10, num_steps_per_env=24
    )
    fields: dict[str, Any] = {
        "id": task_id,
        "summary": "Keep the toy upright.",
        "task_version": 1,
        "package": "toy",
        "return_ceiling": 40.0,
        "env": env,
        "agent": agent,
        "train": TrainCfg(num_envs=16, iterations=ITERATIONS),
        "protocol": ProtocolCfg(episodes=EPISODES, num_envs=4, round_trip_episodes=3),
    }
    return TaskSpec(**(fields | changes))


def make_walker(**changes: Any) -> TaskSpec:
    """A task of a robot that is told how to walk, on a terrain of three levels, with measures and a probe."""
    task, walker = make_task(), get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env
    measures = ("commanded_speed", "speed_along_command", "lin_vel_error", "turn_error")
    env = task.env.model_copy(
        update={
            "robot": walker.robot,
            "action": walker.action,
            "ground": GroundCfg(),
            "terrain": TerrainCfg(rows=3, columns=(FlatCfg(),)),
            "commands": {"velocity": CommandCfg(func="toy.mdp:velocity")},
            "measures": {name: MeasureCfg(func=f"toy.mdp:{name}", unit="m/s") for name in measures},
        }
    )
    probe = ProbeCfg(
        command="velocity",
        achieved="toy.mdp:achieved",
        columns=("x", "y", "turn"),
        cases={"forward": (0.5, 0.0, 0.0), "turn_right": (0.0, 0.0, -1.0)},
        num_envs=3,
        warm_up_steps=2,
        measured_steps=5,
    )
    return make_task(**({"env": env, "probe": probe} | changes))


def policy_returns(seed: int) -> list[float]:
    """Returns of a good policy: 39.1, 39.2, ... for seeds 1, 2, ..., give or take 0.01."""
    return [39.0 + seed % 10 / 10 + 0.01 * (-1) ** k for k in range(EPISODES)]


def idle_returns() -> list[float]:
    """Returns of doing nothing on a task worth learning."""
    return [3.0 + 0.5 * (k % 4) for k in range(EPISODES)]


def saturating_curve(seed: int, iteration: int) -> float | None:
    """A curve that rises to 39 and stays; nothing finished before iteration 2."""
    return None if iteration < 2 else 39.0 - 36.0 * math.exp(-iteration / (2.0 + seed))


def episodes_of(
    returns: Sequence[float],
    success: tuple[int, int] | None = None,
    measures: Mapping[str, float] | None = None,
) -> Episodes:
    """Episodes of full length. success: how many of the first reach a goal ever, and in the end; None for no goal."""
    n = len(returns)
    columns: dict[str, Any] = {"return": tuple(returns), "length": (MAX_STEPS,) * n, "end": ("truncated",) * n}
    for name, count in zip(("success", "success_at_end"), success or (), strict=False):
        columns[name] = tuple(k < count for k in range(n))
    if measures:
        columns["measures"] = {
            name: tuple(value + 0.01 * (-1) ** k for k in range(n)) for name, value in measures.items()
        }
    return Episodes.model_validate({"index": tuple(range(n)), **columns})


def make_sweep(
    folder: Path,
    *,
    task: TaskSpec | None = None,
    seeds: Sequence[int] = (1, 2, 3),
    returns: Callable[[int], Sequence[float]] = policy_returns,
    idle: Sequence[float] | None = None,
    curve: CurveOf = saturating_curve,
    failed: Mapping[int, str] | None = None,
    gpu_hardware: HardwareStamp | None = None,
    success: tuple[int, int] | None = None,
    measures: Mapping[str, tuple[float, float]] | None = None,
) -> Path:
    """Write `sweep.json` and one complete `seed_<S>/` for each seed but those in `failed` (seed -> reason).

    success: episodes of every seed that reach the goal of a task with one, ever and in the end; one idle one does.
    measures: by name, what every seed's policy and what doing nothing measures, give or take 0.01.
    """
    task = task or make_task()
    failed = failed or {}
    hardware = gpu_hardware or cpu_machine()
    for seed in seeds:
        if seed not in failed:
            idle_column = idle_returns() if idle is None else idle
            policy, nothing = ({name: both[k] for name, both in (measures or {}).items()} for k in (0, 1))
            columns = (
                episodes_of(returns(seed), success, policy),
                episodes_of(idle_column, success and (1, 0), nothing),
            )
            _write_seed(folder / f"seed_{seed}", task, seed, tuple(seeds), *columns, curve, hardware)
    entries = [
        SeedEntry(seed=seed, state="failed", attempts=1, exit_code=1, reason=failed[seed])
        if seed in failed
        else SeedEntry(seed=seed, state="finished", attempts=2, exit_code=0)
        for seed in seeds
    ]
    sweep = SweepRecord(
        schema="genelab/sweep/2",
        task=task.id,
        task_version=task.task_version,
        config_sha256=config_sha256(task),
        execution=ExecutionCfg(),
        command=_command(task, seeds),
        seeds=tuple(entries),
        created_at=START,
        updated_at=START + timedelta(minutes=9),
    )
    write(folder / "sweep.json", sweep)
    return folder


def make_contract(seed: Path, policy: Path, task: TaskSpec | None = None) -> Path:
    """Write the contract of a policy file beside it, as if exported from the finished seed in a directory."""
    task, run = task or make_task(), json.loads((seed / "run.json").read_text())
    observation, *goals = (
        observation_of(task, group, name, [(("x",), "m")] * len(task.env.observations[group].terms), _meaning)
        for group, name in zip(task.agent.actor_groups, input_names(task.agent), strict=True)
    )
    fields = ("task", "task_version", "seed", "config_sha256", "checkpoint")
    record = {
        "schema": "genelab/export/2",
        **{name: run[name] for name in fields},
        "file": {
            "name": policy.name,
            "format": "onnx",
            "sha256": hashlib.sha256(policy.read_bytes()).hexdigest(),
            "bytes": policy.stat().st_size,
        },
        "observation": observation,
        "goals": goals,
        "goal": goal_of(task.env, _meaning),
        "action": action_of(task.env),
        "robot": robot_of(task.env),
        "timing": timing_of(task.env),
        "parity": Parity(
            recorded_rows=9,
            random_rows=64,
            batch_sizes=(1, 7, 73),
            largest_action=2.0,
            max_abs_difference=1e-6,
            tolerance=2e-5,
            passed=True,
        ),
        "versions": {"python": "3.11.9", "onnx": "1.18.0"},
    }
    path = policy.with_name(f"{policy.name}.metadata.json")
    write(path, ExportRecord.model_validate(record))
    return path


def _meaning(_: str) -> str:
    return "Position of the toy, m."


def planned_run(path: Path, task: TaskSpec, seed: int = 1, **told: Any) -> RunDir:
    """The directory of a seed, as a launch leaves it."""
    fields = {"seeds_planned": (seed,), "command": (), "overrides": (), "execution": ExecutionCfg(), **told}
    return RunDir.create(path, task, seed=seed, **fields)


def cpu_machine() -> HardwareStamp:
    """A machine without a GPU."""
    cpu = CpuStamp(model="Toy CPU", physical_cores=2, logical_cores=4, usable_cores=2)
    return HardwareStamp(gpu=None, cpu=cpu, ram_bytes=8 * 2**30, os="Linux", kernel="6.1", machine_hash="cafe0123")


def write(path: Path, record: Record) -> None:
    """Write a record, making directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record.model_dump(mode="json"), indent=2) + "\n")


def everything(folder: Path) -> dict[str, bytes]:
    """Contents of all files but locks, which say who holds them and since when."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LOCK_NAME)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file in place. `change` may put NaN in: what is written is what Python's json writes."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=2) + "\n")


def set_at(path: Path, where: str, value: Any) -> None:
    """Change one value of a JSON file, as in `episodes.return.3`."""

    def change(record: Any) -> None:
        *parents, last = [int(part) if part.isdecimal() else part for part in where.split(".")]
        for part in parents:
            record = record[part]
        record[last] = value

    edit(path, change)


def _command(task: TaskSpec, seeds: Sequence[int]) -> tuple[str, ...]:
    return ("genelab", "train", task.id, "--seeds", ",".join(map(str, seeds)), "--log-dir", "runs/toy")


def _write_seed(
    folder: Path,
    task: TaskSpec,
    seed: int,
    planned: tuple[int, ...],
    episodes: Episodes,
    idle: Episodes,
    curve: CurveOf,
    hardware: HardwareStamp,
) -> None:
    folder.mkdir(parents=True)
    snapshot = dump_task(task)
    (folder / "params").mkdir()
    for part, data in snapshot.items():
        (folder / "params" / f"{part}.json").write_text(json.dumps(data, indent=2) + "\n")
    (folder / "model_final.pt").write_bytes(f"weights of seed {seed}".encode())
    (folder / "train.log").write_text("not published\n")
    with (folder / "curve.jsonl").open("w") as file:
        for iteration in range(task.all_iterations):
            row = {"iteration": iteration, "episode_return": curve(seed, iteration), "step_reward": 0.01}
            row |= {"termination/fell": 2, "wall_s": 3.6 * (iteration + 1)}
            file.write(json.dumps(row) + "\n")
    run = _run_record(folder, task, seed, planned, hardware)
    write(folder / "run.json", run)
    if task.probe is not None:
        write(folder / "probe.json", _probe_record(task, run, task.probe))
    record = eval_record(task, run, episodes, idle)
    write(folder / "eval.json", record)
    (folder / "policy.onnx").write_bytes(f"policy of seed {seed}".encode())
    make_contract(folder, folder / "policy.onnx", task)
    write(folder / "sim2sim.json", _sim2sim_record(task, run, record, folder / "policy.onnx"))


def _run_record(
    folder: Path, task: TaskSpec, seed: int, planned: tuple[int, ...], hardware: HardwareStamp
) -> RunRecord:
    iterations, wall = task.all_iterations, 100.0 + seed
    weights = (folder / "model_final.pt").read_bytes()
    return RunRecord(
        schema="genelab/run/2",
        task=task.id,
        task_version=task.task_version,
        seed=seed,
        seeds_planned=planned,
        config_sha256=config_sha256(task),
        command=_command(task, planned),
        overrides=(),
        execution=ExecutionRecord(requested=ExecutionCfg(), resolved_device="cpu"),
        status="finished",
        launched_at=START,
        code=(CodeStamp(name="genelab", version="0.1.0", commit="a" * 40, dirty=False),),
        packages=PACKAGES,
        hardware=hardware,
        backend=backend_stamp(),
        attempts=(
            Attempt(
                started_at=START,
                ended_at=START + timedelta(seconds=wall),
                from_iteration=0,
                to_iteration=iterations,
                end="finished",
                wall_s=wall,
                machine_hash=hardware.machine_hash,
            ),
        ),
        stages=tuple(_stages(task, seed, wall)),
        timing=train_timing(task, iterations, wall),
        checkpoint=trained_checkpoint("model_final.pt", weights, iterations),
    )


def _stages(task: TaskSpec, seed: int, wall: float) -> Iterator[StageRecord]:
    """Every stage but the last took as long per iteration as the whole."""
    done = 0
    for name, stage in task.stages.items():
        done += stage.train.iterations
        checkpoint = trained_checkpoint(f"stage_{name}.pt", f"{name} of seed {seed}".encode(), done)
        timing = train_timing(task, done, wall * done / task.all_iterations)
        yield StageRecord(name=name, checkpoint=checkpoint, timing=timing, guards={})


def train_timing(task: TaskSpec, iterations: int, wall_s: float) -> TrainTiming:
    """What so many iterations of a training took."""
    steps = task.env_steps(iterations)
    return TrainTiming(
        train_wall_s=wall_s,
        compile_s=12.5,
        env_steps=steps,
        iterations=iterations,
        steps_per_s=steps / wall_s,
        peak_memory_bytes=2**30,
    )


def trained_checkpoint(name: str, weights: bytes, iteration: int) -> TrainedCheckpoint:
    """What is told of a file with this content."""
    return TrainedCheckpoint(
        path=name,
        sha256=hashlib.sha256(weights).hexdigest(),
        bytes=len(weights),
        weights_sha256=hashlib.sha256(b"tensors" + weights).hexdigest(),
        iteration=iteration,
    )


def _probe_record(task: TaskSpec, run: RunRecord, cfg: ProbeCfg) -> ProbeRecord:
    """Everybody achieves 0.8 of the command, the last one half of that and falls."""
    assert run.checkpoint
    shares = [0.8] * (cfg.num_envs - 1) + [0.4]
    fell = [False] * (cfg.num_envs - 1) + [True]
    return ProbeRecord(
        schema="genelab/probe/2",
        task=task.id,
        seed=run.seed,
        config_sha256=run.config_sha256,
        weights_sha256=run.checkpoint.weights_sha256,
        iteration=run.checkpoint.iteration,
        engine=task.env.sim.engine,
        probe=cfg,
        cases=tuple(
            case_of(name, command, [share * sum(command) for share in shares], fell)
            for name, command in cfg.cases.items()
        ),
        num_envs=cfg.num_envs,
        code=run.code,
        packages=PACKAGES,
        hardware=cpu_machine(),
        finished_at=START + timedelta(minutes=6),
    )


def _sim2sim_record(task: TaskSpec, run: RunRecord, first: EvalRecord, policy: Path) -> Sim2SimRecord:
    """In MuJoCo nine tenths of the return, the same of doing nothing, and 0.72 of every command."""
    assert run.checkpoint
    episodes = first.episodes.replace(**{"return": tuple(0.9 * value for value in first.episodes.return_)})
    cases, count = (task.probe.cases, task.probe.num_envs) if task.probe else ({}, 0)
    return Sim2SimRecord(
        schema="genelab/sim2sim/1",
        task=task.id,
        seed=run.seed,
        config_sha256=run.config_sha256,
        policy_sha256=hashlib.sha256(policy.read_bytes()).hexdigest(),
        weights_sha256=run.checkpoint.weights_sha256,
        code=run.code,
        packages=PACKAGES,
        hardware=cpu_machine(),
        backend=backend_stamp().replace(engine="mujoco", precision="64"),
        protocol=first.protocol,
        episodes=episodes,
        metrics=metrics_of(episodes),
        idle=first.baselines.idle,
        probe=tuple(
            case_of(name, command, [0.72 * sum(command)] * count, [False] * count) for name, command in cases.items()
        ),
        wall_s=3.0,
        finished_at=START + timedelta(minutes=7),
    )


def eval_record(task: TaskSpec, run: RunRecord, episodes: Episodes, idle: Episodes) -> EvalRecord:
    """The evaluation of a run in which these episodes were seen."""
    random = episodes_of(
        [value / 2 for value in idle.return_],
        None if idle.success is None else (1, 1),
        {name: column[0] for name, column in idle.measures.items()},
    )
    return EvalRecord(
        schema="genelab/eval/2",
        run=RunRef(
            **{name: getattr(run, name) for name in RunRef.model_fields if hasattr(run, name)},
            variant=task.variant,
            algorithm=task.agent.algorithm,
            trainer=task.agent.trainer,
        ),
        config=ConfigRef(sha256=run.config_sha256, source="run"),
        checkpoint=Checkpoint(**run.checkpoint.model_dump(), selection="last"),
        code=run.code,
        packages=run.packages,
        hardware=run.hardware,
        backend=run.backend,
        protocol=protocol_as_used(task.protocol, MAX_STEPS),
        episodes=episodes,
        metrics=metrics_of(episodes),
        baselines=Baselines(
            idle=baseline_of(idle),
            random=baseline_of(random),
            # It stands as well as who does nothing.
            frozen=baseline_of(idle) if "frozen" in task.baselines else None,
        ),
        drawn_starts=None if task.drawn_starts is None else baseline_of(episodes),
        above_idle=above_idle(episodes.return_, idle.return_),
        round_trip=round_trip_of(episodes.return_[:3], episodes, 0.0, ()),
        return_ceiling=task.return_ceiling,
        guards={},
        timing=Timing(train=run.timing, eval_wall_s=12.25, attempts=run.attempts),
        differences_from_registry=(),
        finished_at=START + timedelta(minutes=5),
    )


def backend_stamp() -> BackendStamp:
    """The simulator on a CPU."""
    torch = TorchStamp(
        deterministic=True, allow_tf32=False, cudnn_benchmark=False, num_threads=1, instruction_set="AVX2"
    )
    return BackendStamp(engine="genesis", runs_on="cpu", precision="32", env={}, torch=torch)
