"""genelab from Python. `import genelab` offers these functions and loads them, and what they need, at the first use.

The first call that needs a simulator starts it, as every command does: it seeds python, numpy and torch, makes torch
deterministic, and sets its threads. Later calls of the process use what runs. Bad input raises
`genelab.errors.InputError`, with one line that names the field, the value and the rule.
"""

import dataclasses
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import ValidationError

from genelab.config.base import Cfg
from genelab.config.choices import choices, with_choices_of
from genelab.config.commands import ConfigSource, EvalCfg
from genelab.config.overrides import apply_overrides, from_environment
from genelab.config.places import STORE
from genelab.config.run import ExecutionCfg, LaunchCfg
from genelab.config.scene import EngineName
from genelab.config.snapshot import first_problem
from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.envs.make import make_env
from genelab.envs.protocol import Env
from genelab.envs.purpose import Purpose
from genelab.errors import InputError, RunError
from genelab.evaluation.reload import reloaded
from genelab.jobs.evaluate import assess
from genelab.jobs.session import Started, start_session
from genelab.learn import checkpoint as checkpoints
from genelab.learn.policy import DeterministicPolicy
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record
from genelab.records.run import RunRecord
from genelab.records.sweep import SweepRecord
from genelab.registry import all_tasks, get_task
from genelab.runs.find import find_policy
from genelab.sim.session import Session
from genelab.sweep.executors.local import LocalExecutor
from genelab.sweep.launcher import launch
from genelab.sweep.live import view_for
from genelab.sweep.request import plan_training

C = TypeVar("C", bound=Cfg)

_EXECUTION, _LAUNCH, _EVAL = ExecutionCfg(), LaunchCfg(), EvalCfg()
_sessions: dict[EngineName, tuple[ExecutionCfg, Session]] = {}

EnvPurpose = Literal["training", "evaluation"]
"""What an environment is made for."""


@dataclass(frozen=True)
class Sweep:
    """What a training left."""

    log_dir: Path
    """Its directory."""
    record: SweepRecord
    """sweep.json: where every seed stands."""
    runs: dict[int, RunRecord]
    """run.json of each seed that was asked for."""
    evaluations: dict[int, EvalRecord]
    """eval.json of each of them that was evaluated."""


def tasks() -> list[TaskSpec]:
    """The registered tasks, sorted by identifier. `id`, `summary`, `env`, `agent` and `protocol` say what each is."""
    return all_tasks()


def make(
    task: str | TaskSpec,
    num_envs: int = 1,
    *,
    variant: str | None = None,
    engine: EngineName | None = None,
    seed: int | None = None,
    purpose: EnvPurpose = "training",
    overrides: Sequence[str] = (),
    device: str = _EXECUTION.device,
    threads: int = _EXECUTION.threads,
) -> Env:
    """Build the environment of a task. Call its `reset`, then `step` with raw actions.

    It is what `genelab train` trains in, disturbances and observation noise included, or for `evaluation` what its
    protocol evaluates in: numbered episodes 0, 1, ..., the same for any number of environments. An environment in
    which an episode ended begins the next in the same step; `Step.finished` tells of the one that ended, and
    `Step.finished.observations` of its last state. Check `Step.broken`: nothing is reset for it.

    Args:
        task: identifier of a task, in any letter case, or a task.
        num_envs: parallel environments.
        variant: a variant of the task.
        engine: a simulator in place of the task's.
        seed: of everything drawn; None for 1, or for the seed of the protocol.
        purpose: what for.
        overrides: `path=value`, as for `genelab train --set`.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
        threads: CPU threads.

    Raises:
        InputError: if there is no such task, a value is wrong, or the simulator runs on something else already.
    """
    if num_envs < 1:
        raise InputError(f"num_envs = {num_envs}: must be at least 1")
    spec = task_of(task, variant=variant, engine=engine, overrides=overrides)
    if purpose not in get_args(EnvPurpose):
        raise InputError(f"purpose = {purpose!r}: must be one of {', '.join(get_args(EnvPurpose))}")
    if purpose == "training":
        made = Purpose.training(spec, 1 if seed is None else seed)
    else:
        made = Purpose.evaluation(spec, _with(spec.protocol, seed=seed))
    session, _ = _started(spec, made.seed, _checked(ExecutionCfg, device=device, threads=threads))
    return make_env(spec, dataclasses.replace(made, final_observations=True), num_envs, session)


def load(
    policy: str | Path,
    num_envs: int = 1,
    *,
    engine: EngineName | None = None,
    device: str = _EXECUTION.device,
    threads: int = _EXECUTION.threads,
    store: Path = STORE,
) -> tuple[Env, DeterministicPolicy]:
    """A trained policy, and the environment that it is evaluated in: numbered episodes under its run's protocol.

    Args:
        policy: a checkpoint; the directory of a seed, or of a run that holds one; or an entry of the store as
            `TASK/ENTRY/seed_N`. `TASK` alone is the first seed of its newest entry.
        num_envs: parallel environments.
        engine: a simulator in place of the run's.
        device: as for `make`.
        threads: CPU threads.
        store: root of the store.

    Returns:
        The environment, and the mean action by its observations, which are a dict of tensors by group.
        Shape: (num_envs, num_actions).

    Raises:
        InputError: if there is no such policy, or it does not fit its run.
    """
    found = find_policy(policy, store)
    task, source = found.run_dir.task().on(engine), f"checkpoint '{found.checkpoint}'"
    loaded = checkpoints.load_of_run(found.checkpoint, found.run_dir)
    purpose = Purpose.evaluation(task, task.protocol)
    session, _ = _started(task, purpose.seed, _checked(ExecutionCfg, device=device, threads=threads))
    return reloaded(task, loaded, purpose, num_envs, session, source)


def evaluate(
    policy: str | Path,
    *,
    episodes: int | None = None,
    num_envs: int | None = None,
    seed: int | None = None,
    engine: EngineName | None = None,
    config: ConfigSource = _EVAL.config,
    device: str = _EXECUTION.device,
    threads: int = _EXECUTION.threads,
    store: Path = STORE,
) -> EvalRecord:
    """Evaluate a policy on numbered episodes, beside an idle and a random one, as `genelab eval` does.

    Writes nothing. Whether the reloaded policy earns what the one in memory did stands in `round_trip`, and is no
    error here.

    Args:
        policy: as for `load`.
        episodes: in place of the protocol's.
        num_envs: in place of the protocol's. Changes the speed alone.
        seed: in place of the protocol's.
        engine: a simulator in place of the run's.
        config: the run's own snapshot, or the task as registered now.
        device: as for `make`.
        threads: CPU threads.
        store: root of the store.

    Raises:
        InputError: if there is no such policy, or it does not fit its run.
        DivergedError: if a return is not finite.
    """
    found, execution = find_policy(policy, store), _checked(ExecutionCfg, device=device, threads=threads)
    task = found.run_dir.task()
    protocol = _with(task.protocol, episodes=episodes, num_envs=num_envs, seed=seed)
    judged = task if config == "run" else with_choices_of(get_task(task.id, task.variant), task)
    started = _started(judged.on(engine), protocol.seed, execution)
    return assess(found.run_dir, found.checkpoint, protocol, execution, config, engine, started=started)


def train(
    task: str,
    *,
    variant: str | None = None,
    seeds: Sequence[int] = _LAUNCH.seeds,
    parallel: int = _LAUNCH.parallel,
    log_dir: str | Path = _LAUNCH.log_dir,
    engine: EngineName | None = None,
    iterations: int | None = None,
    num_envs: int | None = None,
    overrides: Sequence[str] = (),
    checkpoint: str | Path | None = None,
    evaluate: bool = _LAUNCH.evaluate,
    device: str = _EXECUTION.device,
    threads: int = _EXECUTION.threads,
) -> Sweep:
    """Train a task on several seeds and evaluate each, as `genelab train` does.

    Same plan, same directories, same records: each seed in a process of its own, and the same call again finishes what
    is unfinished and skips what is done. Call it from the main thread, which gets the signals. The records hold the
    command line that does the same.

    Args:
        task: identifier of a task.
        variant: a variant of the task.
        seeds: training seeds.
        parallel: seeds trained at the same time.
        log_dir: directory of the sweep; `{task}` stands for the task.
        engine: a simulator in place of the task's, for every stage.
        iterations: in place of the task's own.
        num_envs: in place of the task's own.
        overrides: `path=value`, as for `--set`.
        checkpoint: policy of another training that every seed starts from, as for `load`.
        evaluate: whether each trained seed is evaluated.
        device: as for `make`.
        threads: CPU threads of each seed.

    Raises:
        InputError: as `genelab train` refuses its input.
        RunError: if a seed failed. What the others left stands in the directory.
        KeyboardInterrupt: if it was interrupted. The seeds saved their state first.
    """
    execution = _checked(ExecutionCfg, device=device, threads=threads)
    cfg = _checked(LaunchCfg, seeds=tuple(seeds), parallel=parallel, log_dir=str(log_dir), evaluate=evaluate)
    start = None if checkpoint is None else str(checkpoint)
    changes: dict[str, Any] = {"engine": engine, "iterations": iterations, "num_envs": num_envs, "checkpoint": start}
    plan = plan_training(task, variant, execution, cfg, assignments=overrides, **changes)
    own = {"variant": variant, **changes, "device": device, "threads": threads}
    own |= {"seeds": ",".join(map(str, cfg.seeds)), "parallel": parallel, "log_dir": cfg.log_dir}
    words = [word for name, value in own.items() if value is not None for word in (_option(name), str(value))]
    words += [word for assignment in overrides for word in ("--set", assignment)]
    words += [] if evaluate else ["--no-eval"]
    view = view_for(plan)
    code = launch(plan, ["genelab", "train", plan.task.id, *words], view, LocalExecutor())
    record = read_record(plan.sweep_file, SweepRecord)
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code:
        unfinished = [entry for entry in record.seeds if entry.seed in cfg.seeds and entry.reason]
        told = "; ".join(f"seed {entry.seed}: {entry.state}, {entry.reason}" for entry in unfinished)
        raise RunError(f"not all seeds of '{plan.log_dir}' are done: {told}")
    runs = {seed.seed: seed.run_dir for seed in plan.seeds}
    return Sweep(
        log_dir=plan.log_dir,
        record=record,
        runs={seed: run.load() for seed, run in runs.items()},
        evaluations={
            seed: read_record(run.eval_file, EvalRecord) for seed, run in runs.items() if run.eval_file.is_file()
        },
    )


def task_of(
    task: str | TaskSpec,
    *,
    variant: str | None = None,
    engine: EngineName | None = None,
    overrides: Sequence[str] = (),
) -> TaskSpec:
    """A task with what a caller changes in it. What it leaves open comes from its environment variables.

    Raises:
        InputError: as `make`.
    """
    if not isinstance(task, str) and variant is not None:
        raise InputError(f"variant = {variant!r}: a task that is given as a TaskSpec is one already")
    spec = get_task(task, variant) if isinstance(task, str) else task
    open_ = any(choice.value is None for _, choice in choices(spec))
    told = from_environment(spec, overrides, os.environ) if open_ else {}
    spec, _ = apply_overrides(spec, overrides, told, setter="override")
    return spec.on(engine)


def _started(task: TaskSpec, seed: int, execution: ExecutionCfg) -> Started:
    """The engine of a task, started at the first call, and the stamps of a process that works on the task."""
    engine = task.env.engine
    asked, session = _sessions.get(engine, (execution, None))
    # Threads belong to the process, whatever engine asked for them.
    threads = {each.threads for each, _ in _sessions.values()} or {execution.threads}
    if (asked.device, threads) != (execution.device, {execution.threads}):
        raise InputError(
            f"device = {execution.device!r}, threads = {execution.threads}: this process runs {engine} on "
            f"{asked.device!r} with {max(threads)} thread(s) already"
        )
    started = start_session(seed, execution, task, running=session)
    _sessions[engine] = asked, started[0]
    return started


def _checked(model: type[C], **values: Any) -> C:
    try:
        return model(**values)
    except ValidationError as error:
        raise InputError(first_problem(error)) from error


def _with(protocol: ProtocolCfg, **changes: int | None) -> ProtocolCfg:
    """The protocol with what was given of these fields."""
    return _checked(
        ProtocolCfg, **{**dict(protocol), **{n: value for n, value in changes.items() if value is not None}}
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
