"""Steps from what a guard saved to the fault that it found."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genelab.config.run import ExecutionCfg
from genelab.errors import InputError
from genelab.records import names
from genelab.records.guard import GuardRecord
from genelab.runs.files import read_record
from genelab.runs.run_dir import RunDir
from genelab.worker.guard_report import ENVIRONMENTS, STATE
from genelab.worker.session import start_session
from genelab.worker.training import make_trainer

if TYPE_CHECKING:
    from genelab.learn.guard import Fault
    from genelab.sim.session import Session


def replay(folder: Path, device: str | None) -> "tuple[GuardRecord, Fault | None]":
    """Repeat what led to a fault. Starts the simulator: call once per process.

    Args:
        folder: `guard/<iteration>` in a run directory.
        device: as `--device`; None for the one that it was found on.

    Returns:
        What was recorded, and what was found now; None if nothing was.

    Raises:
        InputError: if the directory is none of a guard, or belongs to another run than it lies in.
    """
    if not (folder / names.FAULT).is_file():
        raise InputError(f"'{folder}' is no guard directory: it has no {names.FAULT}")
    told = read_record(folder / names.FAULT, GuardRecord)
    run_dir = RunDir(folder.resolve().parents[1])
    if not run_dir.exists() or run_dir.load().config_sha256 != told.config_sha256:
        raise InputError(f"'{folder}' does not lie in the directory of the run that it belongs to")
    threads = run_dir.load().execution.requested.threads
    execution = ExecutionCfg(device=device or told.device, threads=threads)
    session, _ = start_session(told.seed, execution, run_dir.task())
    step_to = _environments if told.saved_environments else _iteration
    found = step_to(folder, run_dir, session, told)
    if found is not None:
        found.iteration = told.iteration
    return told, found


def _environments(folder: Path, run_dir: RunDir, session: "Session", told: GuardRecord) -> "Fault | None":
    """Step the saved environments alone; a broken one does not depend on the others."""
    from genelab.envs.environment import Environment
    from genelab.learn.backend import backend_of
    from genelab.learn.diagnosis import first_culprit
    from genelab.sim.simulation import Simulation

    saved, task = _load(folder / ENVIRONMENTS, told), run_dir.task()
    kept: list[int] = saved["environments"]
    sim = Simulation(task.env, len(kept), session)
    env = Environment(
        task.env,
        sim,
        told.seed,
        numbering="environment",
        final_observations=backend_of(task.agent).final_observations,
        environments=kept,
        reset_broken=told.nan_policy == "reset-env",
    )
    fault = first_culprit(env, saved["state"], [action.to(session.device) for action in saved["actions"]]).fault
    if fault is not None:
        fault.environments = [kept[row] for row in fault.environments]
    return fault


def _iteration(folder: Path, run_dir: RunDir, session: "Session", told: GuardRecord) -> "Fault | None":
    """Repeat the whole iteration."""
    from genelab.learn.guard import FaultError
    from genelab.sim.simulation import Simulation

    task = run_dir.task()
    sim = Simulation(task.env, task.env.num_envs, session)
    trainer = make_trainer(
        task, told.config_sha256, sim, told.seed, nan_policy=told.nan_policy, max_env_resets=told.max_env_resets
    )
    trainer.load_state_dict(_load(folder / STATE, told)["trainer"])
    try:
        trainer.iterate()
    except FaultError as error:
        return error.fault
    return None


def _load(path: Path, told: GuardRecord) -> Any:
    from genelab.learn.checkpoint import load_tensors

    saved = load_tensors(path)
    if not isinstance(saved, dict) or saved.get("config_sha256") != told.config_sha256:
        raise InputError(f"'{path}' does not belong to '{names.FAULT}' beside it")
    return saved  # pyright: ignore[reportUnknownVariableType]
