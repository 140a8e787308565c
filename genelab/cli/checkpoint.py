"""Finds the run behind a checkpoint named on the command line."""

from pathlib import Path

from genelab.errors import InputError
from genelab.registry import get_task
from genelab.runs.run_dir import RunDir


def run_of(task_id: str, checkpoint: Path) -> RunDir:
    """The run directory that a checkpoint lies in.

    Raises:
        InputError: if there is no such task or checkpoint, no run around it, or the run is of another task.
    """
    get_task(task_id)
    run_dir = run_around(checkpoint)
    found = run_dir.load().task
    if found != task_id:
        raise InputError(f"checkpoint '{checkpoint}' was trained on '{found}', not on '{task_id}'")
    return run_dir


def run_around(checkpoint: Path) -> RunDir:
    """The run directory that a checkpoint lies in, whatever its task.

    Raises:
        InputError: if there is no such checkpoint, or no run around it.
    """
    if not checkpoint.is_file():
        raise InputError(f"checkpoint '{checkpoint}' {'is no file' if checkpoint.exists() else 'does not exist'}")
    run_dir = RunDir(checkpoint.parent)
    if not run_dir.exists():
        raise InputError(f"checkpoint '{checkpoint}' has no run.json beside it to say what it was trained on")
    return run_dir
