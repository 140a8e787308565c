"""The checkpoints that seeds start from: of the stage before, or one named by hand."""

import os
from pathlib import Path

from genelab.config.snapshot import dump
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.run import ParentRef, RunRecord
from genelab.runs.files import sha256_file
from genelab.runs.run_dir import RunDir

STAGES = "stages"
"""Folder of a sweep that holds the sweeps of the stages before, each under the name of its task."""
LOADED = ("policy weights", "value weights", "normaliser statistics", "action noise")
FRESH = ("optimiser", "iteration count")


def stage_dir(log_dir: Path, task: TaskSpec) -> Path:
    """Directory of the sweep of a stage before."""
    return log_dir / STAGES / (f"{task.id}_{task.variant}" if task.variant else task.id)


def parent_of(checkpoint: Path, run_path: Path, task: TaskSpec) -> ParentRef:
    """What a seed of `task` in `run_path` takes from a checkpoint that lies in its run directory.

    Args:
        checkpoint: the file.
        run_path: directory of the seed that starts from it.
        task: what that seed is trained on.

    Raises:
        InputError: if there is no finished training around the file, or it does not fit the task.
    """
    run_dir = RunDir(checkpoint.parent)
    if not checkpoint.is_file() or not run_dir.exists():
        raise InputError(f"parent checkpoint '{checkpoint}': there is no such file with a run.json beside it")
    record = run_dir.load()
    require_fits(run_dir.task(), task, f"parent checkpoint '{checkpoint}' of '{record.task}'")
    trained = record.checkpoint
    if trained is None or trained.path != checkpoint.name:
        raise InputError(f"parent checkpoint '{checkpoint}' is not the final one of a finished training")
    if (found := sha256_file(checkpoint)) != trained.sha256:
        raise InputError(f"parent checkpoint '{checkpoint}' was changed: sha256 {trained.sha256} -> {found}")
    return _reference(record, checkpoint, run_path, task)


def _reference(record: RunRecord, checkpoint: Path, run_path: Path, task: TaskSpec) -> ParentRef:
    start = task.warm_start
    fresh: list[str] = [*FRESH]
    if start is not None and start.task == record.task and start.fresh_joints:
        fresh.append(f"action noise and statistics of {', '.join(start.fresh_joints)}")
    if start is not None and start.task == record.task and start.new_terms:
        fresh.append(f"weights of {', '.join(start.new_terms)}, from 0")
    assert record.checkpoint is not None
    return ParentRef(
        task=record.task,
        task_version=record.task_version,
        seed=record.seed,
        config_sha256=record.config_sha256,
        path=os.path.relpath(checkpoint, run_path),
        sha256=record.checkpoint.sha256,
        weights_sha256=record.checkpoint.weights_sha256,
        iteration=record.checkpoint.iteration,
        loaded=LOADED,
        fresh=tuple(fresh),
    )


def require_fits(parent: TaskSpec, task: TaskSpec, source: str) -> None:
    """Compare what the networks read and drive, before a simulator is built.

    Raises:
        InputError: on the first difference; names it.
    """
    if parent.agent.algorithm != task.agent.algorithm:
        raise InputError(
            f"{source}: agent.algorithm = '{parent.agent.algorithm}': the task has '{task.agent.algorithm}'"
        )
    mine, theirs = list(task.env.action.columns), list(parent.env.action.columns)
    if mine != theirs:
        raise InputError(f"{source}: its actions are {theirs}, the task's are {mine}")
    start = task.warm_start
    new = start.new_terms if start is not None and (start.task, start.variant) == (parent.id, parent.variant) else ()
    for name in task.agent.groups:
        own, other = task.env.observations[name], parent.env.observations.get(name)
        terms = {term: cfg for term, cfg in own.terms.items() if term not in new}
        if other is None or list(terms) != list(other.terms) or own.history != other.history:
            told = "absent" if other is None else f"{list(other.terms)} x {other.history}"
            raise InputError(f"{source}: env.observations.{name} is {told}, the task has {list(terms)} x {own.history}")
        for term, cfg in terms.items():
            for field in ("func", "params", "scale", "bounds"):
                if getattr(cfg, field) != getattr(other.terms[term], field):
                    raise InputError(f"{source}: env.observations.{name}.terms.{term}.{field} is not the task's")
    for field in ("actor", "critic", "normalization"):
        mine_cfg, their_cfg = getattr(task.agent, field), getattr(parent.agent, field)
        if mine_cfg != their_cfg:
            told = dump(their_cfg) if field != "normalization" else their_cfg
            raise InputError(f"{source}: agent.{field} is {told}, not the task's")
