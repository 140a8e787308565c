"""What is written when a guard stops a training: enough to read what happened, and to step to it again."""

import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genelab.records import names
from genelab.records.guard import GuardRecord
from genelab.runs.files import disk_errors, write_atomic, write_record
from genelab.runs.run_dir import RunDir

if TYPE_CHECKING:
    from torch import Tensor

    from genelab.learn.backend import Trainer
    from genelab.learn.guard import Fault, FaultError

SAVED_ENVIRONMENTS = 8
"""Culprit environments whose state is saved, the first ones."""
SMALL_BATCH = 64
"""Environments up to which the state of all is saved: an array of the model may be as long as the batch."""
SUMMARY = "summary.txt"
LAST_GOOD, TENSORS, ENVIRONMENTS, STATE = "last_good", "tensors.pt", "environments.pt", "state.pt"


def write_report(run_dir: RunDir, trainer: "Trainer", error: "FaultError") -> Path:
    """Write `guard/<iteration>/` and return it.

    Args:
        run_dir: the run.
        trainer: back at the start of the iteration.
        error: the fault, with that state.
    """
    from genelab.learn import checkpoint

    fault, run = error.fault, run_dir.load()
    folder = run_dir.path / names.GUARD / str(fault.iteration)
    with disk_errors(folder):
        # What an earlier attempt found here may be another fault, with other files.
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    checkpoint.save_tensors(folder / TENSORS, error.tensors)
    last_good = folder / f"{LAST_GOOD}{run_dir.final_checkpoint.suffix}"
    trainer.save(last_good)
    saved: list[int] = []
    if fault.phase == "rollout" and fault.environments:
        saved, state = some_environments(error.start["env"], fault.environments, trainer.env.num_envs)
        actions = [action[saved] for action in error.actions]
        data = {"environments": saved, "state": state, "actions": actions}
        checkpoint.save_tensors(folder / ENVIRONMENTS, {"config_sha256": run.config_sha256, **data})
    else:
        checkpoint.save_tensors(folder / STATE, {"config_sha256": run.config_sha256, "trainer": error.start})
    record = GuardRecord(
        schema="genelab/guard/1",
        task=run.task,
        seed=run.seed,
        config_sha256=run.config_sha256,
        phase=fault.phase,
        iteration=fault.iteration,
        step=fault.step,
        mini_batch=fault.mini_batch,
        tensor=fault.tensor,
        value=str(fault.value),
        rule=fault.rule,
        environments=tuple(fault.environments),
        last_normal=fault.last_normal,
        nan_policy=run.execution.requested.nan_policy,
        max_env_resets=run.execution.requested.max_env_resets,
        device=str(trainer.env.device),
        reproduced=fault.reproduced,
        saved_environments=tuple(saved),
        found_at=datetime.now(UTC),
    )
    write_atomic(folder / SUMMARY, _summary(folder, fault, last_good.name, saved))
    # Last: with it, the rest is there.
    write_record(folder / names.FAULT, record)
    return folder


def some_environments(
    state: dict[str, "Tensor"], environments: list[int], num_envs: int
) -> tuple[list[int], dict[str, "Tensor"]]:
    """The state of a few environments, as an environment of that size takes it.

    The batch stands on another axis in each of the simulator's arrays. In a large batch it is told by its length; where
    that is not unique, all environments are kept.

    Returns:
        The environments kept, and their state.
    """
    import torch

    if num_envs <= SMALL_BATCH:
        return list(range(num_envs)), state
    axes = {name: [axis for axis, size in enumerate(value.shape) if size == num_envs] for name, value in state.items()}
    if any(len(found) > 1 for found in axes.values()):
        return list(range(num_envs)), state
    kept = environments[:SAVED_ENVIRONMENTS]

    def cut(name: str, value: "Tensor") -> "Tensor":
        if not axes[name]:
            return value
        return value.index_select(axes[name][0], torch.tensor(kept, device=value.device))

    return kept, {name: cut(name, value) for name, value in state.items()}


def _summary(folder: Path, fault: "Fault", last_good: str, saved: list[int]) -> str:
    environments = ", ".join(map(str, fault.environments[:20])) + (", ..." if len(fault.environments) > 20 else "")
    reproduced = {True: "yes", False: "NO: look for something outside environment, step and seed", None: "not tried"}
    rows: dict[str, Any] = {
        "first culprit": fault.tensor,
        "value": fault.value,
        "rule": fault.rule,
        "phase": fault.phase,
        "iteration": fault.iteration,
        "step": fault.step,
        "mini-batch": fault.mini_batch,
        "environments": f"{len(fault.environments)}: {environments}" if fault.environments else "none",
        "last normal": fault.last_normal,
        "found again": reproduced[fault.reproduced],
    }
    files = {
        TENSORS: "what the culprit was found in",
        last_good: "the policy at the start of the iteration, a checkpoint like any other",
        ENVIRONMENTS if saved else STATE: f"environments {saved} at the start of the iteration, and the actions since"
        if saved
        else "the whole training state at the start of the iteration",
        names.FAULT: "this page for programs",
    }
    lines = [*(f"{name:<14} {'-' if value is None else value}" for name, value in rows.items()), ""]
    lines += [f"{name:<16} {text}" for name, text in files.items()]
    return "\n".join([*lines, "", "Step to it again:", f"  genelab replay-guard {shlex.quote(str(folder))}", ""])


class ResetLog:
    """Tells of broken environments that were reset, seldom: when their number has doubled."""

    def __init__(self, trainer: "Trainer") -> None:
        self._trainer = trainer
        self._told = trainer.env_resets

    def report(self) -> None:
        """Print a warning if it is due."""
        count = self._trainer.env_resets
        if count >= max(2 * self._told, 1):
            self._told = count
            print(f"warning: iteration {self._trainer.iteration}: {count} broken environments reset so far", flush=True)
