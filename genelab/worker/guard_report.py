"""What is written when a guard stops a training: enough to read what happened, and to step to it again."""

import shlex
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genelab.errors import InputError
from genelab.learn.guard import Fault, FaultError
from genelab.learn.protocol import Trainer
from genelab.learn.state import save_state
from genelab.records import names
from genelab.records.guard import SCHEMA, STATE, GuardRecord
from genelab.records.run import RunRecord
from genelab.runs.files import disk_errors, write_atomic, write_record
from genelab.runs.run_dir import RunDir

SUMMARY = "summary.txt"
LAST_GOOD, TENSORS = "last_good", "tensors.safetensors"


def resets_before(run: RunRecord) -> int:
    """Broken environments that were reset in the stages that are done."""
    return run.stages[-1].guards.get("env_resets", 0) if run.stages else 0


def resets_left(run: RunRecord) -> int:
    """Broken environments that the present stage may reset.

    Raises:
        InputError: if the stages before it have reset more than all stages may by now.
    """
    allowed, before = run.execution.requested.max_env_resets, resets_before(run)
    if before > allowed:
        raise InputError(f"--max-env-resets {allowed}: must not be below the {before} resets of earlier stages")
    return allowed - before


def write_report(run_dir: RunDir, trainer: Trainer, error: FaultError) -> Path:
    """Write `guard/<iteration>/` and return it.

    Args:
        run_dir: the run.
        trainer: back at the start of the iteration.
        error: the fault, with that state.
    """
    folder = run_dir.path / names.GUARD / str(error.fault.iteration)
    draft = folder.with_name(f"{names.DRAFT}{folder.name}")
    old = folder.with_name(f"{names.DRAFT}old-{folder.name}")
    try:
        with disk_errors(folder):
            # What a killed writer left.
            for leftover in folder.parent.glob(f"{names.DRAFT}*"):
                shutil.rmtree(leftover)
            draft.mkdir(parents=True)
        _write_files(draft, folder, run_dir, trainer, error)
        with disk_errors(folder):
            # What an earlier attempt found here may be another fault, with other files.
            if folder.exists():
                folder.rename(old)
            draft.rename(folder)
    finally:
        # The report of before is intact after an error, and what there is of this one only takes space.
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return folder


def _write_files(draft: Path, folder: Path, run_dir: RunDir, trainer: Trainer, error: FaultError) -> None:
    """Write the files of a report into `draft`, which will be renamed to `folder`."""
    fault, run = error.fault, run_dir.load()
    save_state(draft / TENSORS, SCHEMA, error.tensors)
    last_good = draft / f"{LAST_GOOD}{run_dir.final_checkpoint.suffix}"
    trainer.save(last_good)
    save_state(draft / STATE, SCHEMA, {"config_sha256": run.config_sha256, "trainer": error.start})
    told: dict[str, Any] = asdict(fault) | {"value": str(fault.value), "environments": tuple(fault.environments)}
    record = GuardRecord(
        schema="genelab/guard/2",
        task=run.task,
        seed=run.seed,
        config_sha256=run.config_sha256,
        **told,
        nan_policy=run.execution.requested.nan_policy,
        max_env_resets=resets_left(run),
        device=str(trainer.env.device),
        found_at=datetime.now(UTC),
    )
    write_atomic(draft / SUMMARY, _summary(folder, fault, last_good.name))
    write_record(draft / names.FAULT, record)


def _summary(folder: Path, fault: Fault, last_good: str) -> str:
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
        STATE: "the whole training state at the start of the iteration",
        names.FAULT: "this page for programs",
    }
    lines = [*(f"{name:<14} {'-' if value is None else value}" for name, value in rows.items()), ""]
    lines += [f"{name:<24} {text}" for name, text in files.items()]
    return "\n".join([*lines, "", "Step to it again:", f"  genelab replay-guard {shlex.quote(str(folder))}", ""])


class ResetLog:
    """Tells of broken environments that were reset, seldom: when their number has doubled."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._told = trainer.env_resets

    def report(self) -> None:
        """Print a warning if it is due."""
        count = self._trainer.env_resets
        if count >= max(2 * self._told, 1):
            self._told = count
            print(f"warning: iteration {self._trainer.iteration}: {count} broken environments reset so far", flush=True)
