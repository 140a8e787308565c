"""Evaluates a checkpoint of a run directory into its record."""

from datetime import UTC, datetime
from pathlib import Path

from genelab.config.choices import with_choices_of
from genelab.config.commands import ConfigSource
from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.config.snapshot import config_sha256, differences, dump_task
from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.errors import RunError
from genelab.evaluation.evaluate import evaluate
from genelab.jobs.session import Started, start_session
from genelab.learn import checkpoint as checkpoints
from genelab.learn.checkpoint import Checkpoint as LoadedCheckpoint
from genelab.learn.round_trip import read_round_trip
from genelab.records.derived import baseline_of, metrics_of, round_trip_of
from genelab.records.eval import (
    Baselines,
    Checkpoint,
    ConfigRef,
    Episodes,
    EvalRecord,
    RegistryDifference,
    RoundTrip,
    RunRef,
    Timing,
    protocol_as_used,
)
from genelab.records.files import sha256_file
from genelab.records.stamps import other_sums
from genelab.records.statistics import above_idle
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir
from genelab.runs.stamps import Stamps

GPU_TOLERANCE = 1e-4
"""Largest difference of a return after the round trip on a GPU, relative to the largest return. On a CPU it is 0."""


def assess(
    run_dir: RunDir,
    path: Path,
    protocol: ProtocolCfg,
    execution: ExecutionCfg,
    config_source: ConfigSource = "run",
    engine: EngineName | None = None,
    *,
    started: Started | None = None,
) -> EvalRecord:
    """Evaluate a checkpoint of a run. Starts the simulator unless it is given: call once per process.

    Args:
        run_dir: the run that the checkpoint belongs to.
        path: checkpoint file.
        protocol: the protocol to use.
        execution: device and threads.
        config_source: evaluate the run's snapshot, or the task as registered now.
        engine: the simulator; None for that of the configuration.
        started: the running simulator, seeded for this protocol.

    Raises:
        InputError: if the checkpoint is missing, torn, or belongs to another config.
        RunError: if a return is not finite, or the checkpoint was replaced meanwhile.
    """
    record, trained = run_dir.load(), run_dir.task()
    loaded = checkpoints.load_of_run(path, run_dir)
    selection = "last" if loaded.iteration == trained.all_iterations else "chosen"
    checkpoint = Checkpoint(**checkpoints.claim_of(path, loaded).model_dump(), selection=selection)
    # What the caller chose is no property of the registered task, so it can neither differ from it nor be left open.
    registered = with_choices_of(get_task(record.task, trained.variant), trained)
    task = (trained if config_source == "run" else registered).on(engine)
    as_trained = config_source == "run" and task.env == trained.env
    session, stamps = started or start_session(protocol.seed, execution, task)
    found = evaluate(task, protocol, loaded, session, f"checkpoint '{path}'")
    if sha256_file(path) != checkpoint.sha256:
        raise RunError(f"checkpoint '{path}' was replaced while it was evaluated")
    episodes = found.policy
    return EvalRecord(
        schema="genelab/eval/2",
        run=RunRef(
            task=record.task,
            task_version=record.task_version,
            variant=trained.variant,
            algorithm=task.agent.algorithm,
            trainer=task.agent.trainer,
            seed=record.seed,
            seeds_planned=record.seeds_planned,
            command=record.command,
            launched_at=record.launched_at,
            parent=record.parent,
        ),
        config=ConfigRef(sha256=config_sha256(task), source=config_source),
        checkpoint=checkpoint,
        code=stamps.code,
        packages=stamps.packages,
        hardware=stamps.hardware,
        backend=stamps.backend,
        protocol=protocol_as_used(protocol, found.max_steps),
        episodes=episodes,
        metrics=metrics_of(episodes),
        baselines=Baselines(
            idle=baseline_of(found.idle),
            random=baseline_of(found.random),
            frozen=None if found.frozen is None else baseline_of(found.frozen),
        ),
        drawn_starts=None if found.drawn_starts is None else baseline_of(found.drawn_starts),
        above_idle=above_idle(episodes.return_, found.idle.return_),
        round_trip=_round_trip(run_dir, task, protocol, loaded, episodes, stamps) if as_trained else None,
        return_ceiling=task.return_ceiling,
        guards=record.guards,
        timing=Timing(
            train=record.timing,
            eval_wall_s=found.wall_s,
            attempts=record.attempts,
        ),
        differences_from_registry=tuple(
            RegistryDifference(path=path, run=old, registry=new)
            for path, old, new in differences(dump_task(trained), dump_task(registered))
        ),
        finished_at=datetime.now(UTC),
    )


def _round_trip(
    run_dir: RunDir,
    task: TaskSpec,
    protocol: ProtocolCfg,
    loaded: LoadedCheckpoint,
    episodes: Episodes,
    stamps: Stamps,
) -> RoundTrip | None:
    """Compare with what the policy earned before it left memory; None where that was another policy or protocol."""
    path = run_dir.round_trip_file
    same = {"num_envs": 1, "episodes": 1, "round_trip_episodes": 1}
    if protocol.model_copy(update=same) != task.protocol.model_copy(update=same) or not path.is_file():
        return None
    memory = read_round_trip(path)
    if memory.weights_sha256 != loaded.weights_sha256:
        return None
    returns = memory.returns[: len(episodes.return_)]
    tolerance = 0.0 if stamps.hardware.gpu is None else GPU_TOLERANCE * max(abs(value) for value in returns)
    return round_trip_of(returns, episodes, tolerance, other_sums(run_dir.load(), stamps, run_dir.trainer))
