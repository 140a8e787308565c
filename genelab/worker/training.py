"""Trains one seed from wherever it stands to the end of a stage, the last time to a saved, re-checked policy."""

import resource
import time
from pathlib import Path
from typing import Any

from genelab import progress
from genelab.config.fit import taken_over
from genelab.config.task import TaskSpec
from genelab.envs.make import make_env
from genelab.envs.purpose import Purpose
from genelab.errors import DivergedError, InputError
from genelab.evaluation.episodes import run_episodes
from genelab.evaluation.evaluate import Recorder
from genelab.jobs.demonstrations import prefill
from genelab.jobs.session import start_session
from genelab.jobs.trainer import load_training_state, make_trainer
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import claim_of, load
from genelab.learn.guard import FaultError
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.protocol import Trainer
from genelab.learn.round_trip import write_round_trip
from genelab.learn.state import load_state, save_state
from genelab.records.files import sha256_file
from genelab.records.run import RunRecord, StageRecord, TrainTiming
from genelab.runs.curve import CurveWriter
from genelab.runs.files import disk_errors
from genelab.runs.run_dir import RunDir
from genelab.sim.session import Session
from genelab.worker.films import Films
from genelab.worker.guard_report import SUMMARY, ResetLog, resets_before, resets_left, write_report
from genelab.worker.loggers import Loggers
from genelab.worker.stop import StopFlag

RESUME = "genelab/resume/4"
"""Schema of a training state."""


def train(run_dir: RunDir, stop: StopFlag) -> bool:
    """Train the seed of a run directory to the end of a stage. Each stage has a process of its own.

    Iterations are counted over all stages.

    Returns:
        False if stopped before that end, with the state saved.

    Raises:
        InputError: if the directory or its resume state does not fit.
        DivergedError: if a guard stopped it, with what it found in `guard/`.
        RunError: if the disk is full.
    """
    record, whole = run_dir.load(), run_dir.task()
    stage, task = whole.line()[len(record.stages)]
    session, stamps = start_session(record.seed, record.execution.requested, task)

    wanted = record.execution.requested
    built = time.perf_counter()
    trainer = make_trainer(
        task,
        record.config_sha256,
        session,
        record.seed,
        nan_policy=wanted.nan_policy,
        max_env_resets=resets_left(record),
    )
    compile_s = session.start_s + time.perf_counter() - built
    spent_before = restore(run_dir, trainer)
    begun, first = _iterations_before(record), trainer.iteration
    filled, source = prefill(trainer, task) if first == 0 else (0, None)
    if first == begun:
        _warm_start(run_dir, trainer, task, record)
    run_dir.begin_attempt(from_iteration=first, device=str(session.device), stamps=stamps)
    if source is not None:
        run_dir.update(demonstrations=source)
    told = f"{task.id}, stage {stage}," if stage else task.id
    print(f"training {told} seed {record.seed} on {session.device}, from iteration {first}", flush=True)

    if filled:
        print(f"{filled} transitions of demonstrations in the replay buffer", flush=True)

    progress.phase("first rollout")
    with stop.deferred():
        curve = CurveWriter(run_dir.curve, first)
        loggers = Loggers(run_dir, curve.kept)
        begin = time.perf_counter()
        end = begun + task.train.iterations
        log, films = ResetLog(trainer), Films(run_dir, first)
        while trainer.iteration < end and not stop.is_set:
            try:
                row = trainer.iterate()
            except FaultError as error:
                folder = write_report(run_dir, trainer, error)
                run_dir.update(guards=_counters(record, trainer))
                raise DivergedError(f"{error}; see {folder.relative_to(run_dir.path.parent) / SUMMARY}") from error
            log.report()
            spent = {
                "env_steps": whole.env_steps(trainer.iteration),
                "wall_s": spent_before + time.perf_counter() - begin,
            }
            curve.append(row | spent)
            loggers.log(row | spent)
            print(_progress_line(row, whole.all_iterations), flush=True)
            if trainer.iteration % task.agent.save_interval == 0 or trainer.iteration == end:
                loggers.flush()
                _save(run_dir, stage, trainer, spent_before + time.perf_counter() - begin)
                spent = time.perf_counter() - begin
                run_dir.note_progress(to_iteration=trainer.iteration, wall_s=spent, guards=_counters(record, trainer))
                films.saved(trainer.iteration)
        curve.close()
        loggers.close()
        wall_s = time.perf_counter() - begin
        if trainer.iteration < end:
            films.end(wait=False)
            _save_resume_state(run_dir, stage, trainer, spent_before + wall_s)
            run_dir.end_attempt("interrupted", to_iteration=trainer.iteration, wall_s=wall_s, status="interrupted")
            return False
    timing = _timing(record, whole, trainer.iteration, spent_before + wall_s, compile_s)
    _finish(run_dir, stage, task, trainer, session, wall_s, timing)
    films.end(wait=True)
    return True


def _warm_start(run_dir: RunDir, trainer: Trainer, task: TaskSpec, record: RunRecord) -> None:
    """Start from the policy of the stage before, or from the checkpoint of another training that run.json names.

    Raises:
        InputError: if it is missing or another file by now, or its weights do not fit.
    """
    if record.stages:
        name, sha256 = record.stages[-1].checkpoint.path, record.stages[-1].checkpoint.sha256
    elif record.parent is not None:
        name, sha256 = record.parent.path, record.parent.sha256
    else:
        return
    path = run_dir.path / name
    if not path.is_file():
        raise InputError(f"'{path}', which the training starts from, is missing")
    if (found := sha256_file(path)) != sha256:
        raise InputError(f"'{path}', which the training starts from, was changed: sha256 {sha256} -> {found}")
    backend_of(task.agent).warm_start(trainer, load(path), task, f"'{path}', which the training starts from")
    loaded, fresh = taken_over(task)
    print(f"warm start from '{name}': {', '.join(loaded)}; anew: {', '.join(fresh)}", flush=True)


def _iterations_before(record: RunRecord) -> int:
    """Iterations of the stages that are done."""
    return record.stages[-1].checkpoint.iteration if record.stages else 0


def restore(run_dir: RunDir, trainer: Trainer) -> float:
    """Continue a stage from its newest training state, if there is one; returns the wall-clock spent so far, s.

    Raises:
        InputError: as `load_state`, or if it is of another config or trainer.
    """
    record, task = run_dir.load(), run_dir.task()
    stage, _ = task.line()[len(record.stages)]
    path, begun = run_dir.resume_state(stage), _iterations_before(record)
    if not path.is_file():
        trainer.iteration = begun
        return record.stages[-1].timing.train_wall_s if record.stages else 0.0
    state = load_state(path, RESUME)
    if state["config_sha256"] != record.config_sha256:
        raise InputError(f"'{path}' belongs to another config than '{run_dir.params}'")
    load_training_state(trainer, state["trainer"], path)
    return state["train_wall_s"]


def _save(run_dir: RunDir, stage: str | None, trainer: Trainer, spent_s: float) -> None:
    # rsl_rl's numbering: model_<it> is the policy after iteration number <it>, counted from 0.
    trainer.save(run_dir.checkpoint(trainer.iteration - 1))
    _save_resume_state(run_dir, stage, trainer, spent_s)


def _save_resume_state(run_dir: RunDir, stage: str | None, trainer: Trainer, spent_s: float) -> None:
    with disk_errors(run_dir.resume):
        run_dir.resume.mkdir(exist_ok=True)
    state = {
        "config_sha256": run_dir.load().config_sha256,
        "train_wall_s": spent_s,
        "trainer": trainer.state_dict(),
    }
    save_state(run_dir.resume_state(stage), RESUME, state)


def _timing(record: RunRecord, task: TaskSpec, iterations: int, spent_s: float, compile_s: float) -> TrainTiming:
    """What this stage and those before it cost."""
    before = record.stages[-1].timing if record.stages else None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    env_steps = task.env_steps(iterations)
    return TrainTiming(
        train_wall_s=spent_s,
        compile_s=compile_s + ((before and before.compile_s) or 0.0),
        env_steps=env_steps,
        iterations=iterations,
        steps_per_s=env_steps / spent_s,
        peak_memory_bytes=max(peak, (before and before.peak_memory_bytes) or 0),
    )


def _finish(
    run_dir: RunDir,
    stage: str | None,
    task: TaskSpec,
    trainer: Trainer,
    session: Session,
    wall_s: float,
    timing: TrainTiming,
) -> None:
    """Save the policy and close the attempt. Of the last stage, note what it earns before it leaves memory."""
    record = run_dir.load()
    path = run_dir.stage_checkpoint(stage) if stage else run_dir.final_checkpoint
    checkpoint = claim_of(path, trainer.save(path))
    guards = _counters(record, trainer)
    if stage:
        done = StageRecord(name=stage, checkpoint=checkpoint, timing=timing, guards=guards)
        changes: dict[str, Any] = {"status": "stage_done", "stages": (*record.stages, done)}
    else:
        _write_round_trip(run_dir.round_trip_file, task, trainer, session, checkpoint.weights_sha256)
        changes = {"status": "trained", "checkpoint": checkpoint, "timing": timing}
    run_dir.end_attempt("finished", to_iteration=trainer.iteration, wall_s=wall_s, guards=guards, **changes)
    if stage:
        # The next stage has a state of its own.
        run_dir.resume_state(stage).unlink(missing_ok=True)


def _write_round_trip(path: Path, task: TaskSpec, trainer: Trainer, session: Session, weights: str) -> None:
    """Evaluate the policy that is still in memory on the first episodes, in a scene of its own."""
    count = min(task.protocol.round_trip_episodes, task.protocol.episodes)
    env = make_env(task, Purpose.evaluation(task, task.protocol), min(count, task.protocol.num_envs), session)
    groups = task.agent.actor_groups
    recorder = Recorder(groups)
    policy = DeterministicPolicy(trainer.actor(), session.device, groups)
    table = run_episodes(env, policy, count, recorder)
    write_round_trip(path, weights, table.return_, recorder.rows())


def _counters(record: RunRecord, trainer: Trainer) -> dict[str, int]:
    """Over all stages. Kept once something was counted, whatever the policy is by then."""
    count = trainer.env_resets + resets_before(record)
    return {"env_resets": count} if count or trainer.env.resets_broken else {}


def _progress_line(row: dict[str, Any], total: int) -> str:
    earned = row["episode_return"]
    return (
        f"iteration {row['iteration'] + 1}/{total}  return {'-' if earned is None else f'{earned:.3f}'}  "
        f"step reward {row['step_reward']:.5f}  {row['steps_per_s']:.0f} steps/s"
    )
