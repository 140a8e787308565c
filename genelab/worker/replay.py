"""Steps from what a guard saved to the fault that it found."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from genelab.config.run import ExecutionCfg
from genelab.config.snapshot import first_problem
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records import names
from genelab.records.guard import GuardRecord
from genelab.runs.files import read_record
from genelab.runs.run_dir import RunDir
from genelab.worker.guard_report import ENVIRONMENTS, STATE, some_environments
from genelab.worker.session import start_session
from genelab.worker.training import load_training_state, make_trainer

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from genelab.envs.environment import Environment
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
    told, run_dir = read_guard(folder)
    threads = run_dir.load().execution.requested.threads
    execution, task = _execution(folder, device or told.device, threads), run_dir.task()
    # Before the simulator starts, which takes long.
    saved = read_environments(folder, told, task) if told.saved_environments else read_state(folder, told)
    session, _ = start_session(told.seed, execution, task)
    if isinstance(saved, SavedEnvironments):
        found = _step_environments(saved, task, session, told)
    else:
        found = _iterate(saved, folder, task, session, told)
    if found is not None:
        found.iteration = told.iteration
    return told, found


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


@dataclass(frozen=True)
class SavedEnvironments:
    """What `environments.pt` holds."""

    path: Path
    """The file."""
    environments: list[int]
    """Their numbers in the batch."""
    state: dict[str, Any]
    """Of the whole batch, as `Environment.state_dict` returned it."""
    num_envs: int
    """Size of that batch."""
    actions: "list[Tensor]"
    """Raw actions since. Shape of each: (environments, num_actions)."""


def read_environments(folder: Path, told: GuardRecord, task: TaskSpec) -> SavedEnvironments:
    """Read the environments that a guard saved.

    Raises:
        InputError: if they are not those of `fault.json`, or anything is of another form than a guard writes.
    """
    import torch

    path = folder / ENVIRONMENTS
    saved = _load(path, told)
    found, state, actions = (saved.get(name) for name in ("environments", "state", "actions"))
    kept = list(told.saved_environments)
    # With their types: True equals 1.
    same = type(found) is list and [(type(number), number) for number in found] == [(int, number) for number in kept]
    if not same or max(kept) >= task.train.num_envs:
        raise InputError(f"'{path}' does not hold the environments that '{names.FAULT}' names")
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"'{path}' holds no state of environments")
    shape = (len(kept), len(task.env.action.columns))
    if type(actions) is not list or not all(_is_action(action, shape) for action in actions):
        raise InputError(f"'{path}' holds no list of float32 actions of shape {shape}")
    return SavedEnvironments(path, kept, state, task.train.num_envs, actions)


def read_state(folder: Path, told: GuardRecord) -> Any:
    """Read the whole training state that a guard saved. Raises InputError if it is of another run or not there."""
    saved = _load(folder / STATE, told)
    if not isinstance(saved.get("trainer"), dict):
        raise InputError(f"'{folder / STATE}' holds no whole training state")
    return saved["trainer"]


def step_to_fault(env: "Environment", saved: SavedEnvironments, device: "torch.device") -> "Fault | None":
    """Step saved environments along their actions. Raises InputError if their state does not fit."""
    from genelab.learn.diagnosis import first_culprit
    from genelab.learn.state import require_like, whole_state

    with whole_state(saved.path, "state of environments"):
        own = env.state_dict()
        state = some_environments(saved.state, own, saved.environments, saved.num_envs)
        require_like(own, state)
        env.load_state_dict(state)
    fault = first_culprit(env, state, [action.to(device) for action in saved.actions]).fault
    if fault is not None:
        fault.environments = [saved.environments[row] for row in fault.environments]
    return fault


def _step_environments(
    saved: SavedEnvironments, task: TaskSpec, session: "Session", told: GuardRecord
) -> "Fault | None":
    """Step the saved environments alone; a broken one does not depend on the others."""
    from genelab.envs.environment import Environment
    from genelab.learn.backend import backend_of

    env = Environment(
        task.env,
        Simulation(task.env, len(saved.environments), session),
        told.seed,
        numbering="environment",
        final_observations=backend_of(task.agent).final_observations,
        environments=saved.environments,
        reset_broken=told.nan_policy == "reset-env",
        curriculum=task.train.curriculum,
    )
    # Draws the properties of these environments, which are no part of the state, and fills the histories.
    env.reset()
    return step_to_fault(env, saved, session.device)


def _iterate(state: Any, folder: Path, task: TaskSpec, session: "Session", told: GuardRecord) -> "Fault | None":
    """Repeat the whole iteration."""
    from genelab.learn.guard import FaultError

    trainer = make_trainer(
        task, told.config_sha256, session, told.seed, nan_policy=told.nan_policy, max_env_resets=told.max_env_resets
    )
    load_training_state(trainer, state, folder / STATE)
    try:
        trainer.iterate()
    except FaultError as error:
        return error.fault
    return None


def _execution(folder: Path, device: str, threads: int) -> ExecutionCfg:
    try:
        return ExecutionCfg(device=device, threads=threads)
    except ValidationError as error:
        raise InputError(f"'{folder / names.FAULT}': {first_problem(error)}") from error


def _is_action(action: Any, shape: tuple[int, int]) -> bool:
    import torch

    return isinstance(action, torch.Tensor) and action.dtype == torch.float32 and tuple(action.shape) == shape


def _load(path: Path, told: GuardRecord) -> dict[str, Any]:
    from genelab.learn.state import load_state

    saved = load_state(path)
    if saved.get("config_sha256") != told.config_sha256:
        raise InputError(f"'{path}' does not belong to '{names.FAULT}' beside it")
    return saved
