"""Steps from what a guard saved to the fault that it found."""

from pathlib import Path
from typing import Any

from genelab.config.run import ExecutionCfg
from genelab.errors import InputError
from genelab.jobs.session import start_session
from genelab.jobs.trainer import load_training_state, make_trainer
from genelab.learn.guard import Fault, FaultError
from genelab.learn.state import load_state
from genelab.records import names
from genelab.records.files import read_record
from genelab.records.guard import SCHEMA, STATE, GuardRecord
from genelab.runs.run_dir import RunDir


def replay(folder: Path, device: str | None) -> tuple[GuardRecord, Fault | None]:
    """Repeat what led to a fault. Starts the simulator: call once per process.

    Args:
        folder: `guard/<iteration>` in a run directory.
        device: as `--device`; None for the one that it was found on.

    Returns:
        What was recorded, and what was found now; None if nothing was.

    Raises:
        InputError: if the directory is none of a guard, or belongs to another run than it lies in.
    """
    told, run_dir = read_guard(folder)
    task, asked = run_dir.task().at(told.iteration), run_dir.load().execution.requested
    execution = ExecutionCfg(device=device or told.device, threads=asked.threads)
    # Before the simulator starts, which takes long.
    saved = read_state(folder, told)
    session, _ = start_session(told.seed, execution, task)
    trainer = make_trainer(
        task, told.config_sha256, session, told.seed, nan_policy=told.nan_policy, max_env_resets=told.max_env_resets
    )
    load_training_state(trainer, saved, folder / STATE)
    try:
        trainer.iterate()
    except FaultError as error:
        error.fault.iteration = told.iteration
        return told, error.fault
    return told, None


def read_guard(folder: Path) -> tuple[GuardRecord, RunDir]:
    """Read what a guard recorded, and find the run around it.

    Raises:
        InputError: as `replay`.
    """
    if not (folder / names.FAULT).is_file():
        raise InputError(f"'{folder}' is no guard directory: it has no {names.FAULT}")
    told = read_record(folder / names.FAULT, GuardRecord)
    run_dir = RunDir(folder.resolve().parents[1])
    run = run_dir.load() if run_dir.exists() else None
    if run is None or (run.config_sha256, run.seed) != (told.config_sha256, told.seed):
        raise InputError(f"'{folder}' does not lie in the directory of the run that it belongs to")
    return told, run_dir


def read_state(folder: Path, told: GuardRecord) -> Any:
    """Read the whole training state that a guard saved. Raises InputError if it is of another run or not there."""
    path = folder / STATE
    saved = load_state(path, SCHEMA)
    if saved["config_sha256"] != told.config_sha256:
        raise InputError(f"'{path}' does not belong to '{names.FAULT}' beside it")
    return saved["trainer"]
