"""The checkpoint of another training that seeds start from."""

import os
from pathlib import Path

from genelab.config.fit import misfit
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.files import sha256_file
from genelab.records.run import ParentRef, TrainedCheckpoint
from genelab.runs.run_dir import RunDir


def parent_of(checkpoint: Path, log_dir: Path, task: TaskSpec) -> ParentRef:
    """What seeds of `task` start from, given as a checkpoint that lies in its run directory.

    Args:
        checkpoint: policy at the end of that training, or of one of its stages.
        log_dir: directory of the sweep of those seeds.
        task: what they are trained on.

    Raises:
        InputError: if there is no such file of a training around it, or its policy does not fit.
    """
    run_dir = RunDir(checkpoint.parent)
    if not checkpoint.is_file() or not run_dir.exists():
        raise InputError(f"parent checkpoint '{checkpoint}': there is no such file with a run.json beside it")
    record, trained_on = run_dir.load(), run_dir.task()
    left: dict[str | None, TrainedCheckpoint | None] = {stage.name: stage.checkpoint for stage in record.stages}
    left[None] = record.checkpoint
    found = [(name, left_by) for name, left_by in left.items() if left_by and left_by.path == checkpoint.name]
    if not found:
        raise InputError(f"parent checkpoint '{checkpoint}' is not what a finished training or one of its stages left")
    stage, trained = found[0]
    if stage not in (name for name, _ in trained_on.line()):
        raise InputError(f"parent checkpoint '{checkpoint}': its run.json names the stage '{stage}', its task has none")
    if told := misfit(trained_on.stage(stage), task.line()[0][1]):
        raise InputError(f"parent checkpoint '{checkpoint}' of '{record.task}': there, {told}")
    if (sha256 := sha256_file(checkpoint)) != trained.sha256:
        raise InputError(f"parent checkpoint '{checkpoint}' was changed: sha256 {trained.sha256} -> {sha256}")
    return ParentRef(
        task=record.task,
        task_version=record.task_version,
        variant=trained_on.variant,
        stage=stage,
        seed=record.seed,
        config_sha256=record.config_sha256,
        # The same from every seed's directory.
        path=os.path.relpath(checkpoint, log_dir / "seed"),
        sha256=trained.sha256,
        weights_sha256=trained.weights_sha256,
        iteration=trained.iteration,
    )
