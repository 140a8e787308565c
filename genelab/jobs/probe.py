"""Probes a checkpoint of a run directory into a record."""

from datetime import UTC, datetime
from pathlib import Path

from genelab.config.run import ExecutionCfg
from genelab.config.scene import EngineName
from genelab.errors import InputError
from genelab.evaluation.probe import drive
from genelab.jobs.session import Started, start_session
from genelab.learn import checkpoint as checkpoints
from genelab.records.probe import ProbeRecord, case_of
from genelab.runs.run_dir import RunDir


def probe(
    run_dir: RunDir,
    path: Path,
    execution: ExecutionCfg,
    engine: EngineName | None = None,
    *,
    started: Started | None = None,
) -> ProbeRecord:
    """Drive a checkpoint of a run as its snapshot says, or in another simulator.

    Starts the simulator unless it is given: call once per process.

    Raises:
        InputError: if the task has no probe, or the checkpoint does not belong to the run.
        DivergedError: if a state broke.
    """
    record, task = run_dir.load(), run_dir.task().on(engine)
    if task.probe is None:
        raise InputError(f"task '{task.id}' has no probe")
    loaded = checkpoints.load_of_run(path, run_dir)
    session, stamps = started or start_session(task.probe.seed, execution, task)

    driven = drive(task, task.probe, loaded, session, f"checkpoint '{path}'")
    rows = zip(task.probe.cases.items(), driven.achieved.tolist(), driven.fell.tolist(), strict=True)
    return ProbeRecord(
        schema="genelab/probe/2",
        task=task.id,
        seed=record.seed,
        config_sha256=record.config_sha256,
        weights_sha256=loaded.weights_sha256,
        iteration=loaded.iteration,
        engine=task.env.engine,
        probe=task.probe,
        cases=tuple(case_of(name, command, achieved, fell) for (name, command), achieved, fell in rows),
        num_envs=task.probe.num_envs,
        code=stamps.code,
        packages=stamps.packages,
        hardware=stamps.hardware,
        finished_at=datetime.now(UTC),
    )
