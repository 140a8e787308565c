"""The checkpoints that seeds start from: of the stage before, or one named by hand."""

import os
from collections.abc import Sequence
from pathlib import Path

from genelab.config.actions import ActionCfg, DifferentialIkCfg, JointPositionCfg, JointTargetsCfg
from genelab.config.choices import choices
from genelab.config.env import EnvCfg
from genelab.config.snapshot import dump
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.run import ParentRef, RunRecord, foreign_start
from genelab.runs.files import sha256_file
from genelab.runs.run_dir import RunDir

STAGES = "stages"
"""Folder of a sweep that holds the sweeps of the stages before, each under the name of its task."""


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
    return _reference(run_dir, record, checkpoint, run_path, task)


def _reference(run_dir: RunDir, record: RunRecord, checkpoint: Path, run_path: Path, task: TaskSpec) -> ParentRef:
    parent = run_dir.task()
    loaded, fresh = taken_over(parent, task)
    open_choices = {path for path, _ in choices(parent)}
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
        loaded=loaded,
        fresh=fresh,
        variant=parent.variant,
        overrides=tuple(o for o in record.overrides if o.effective and o.path not in open_choices),
        foreign=foreign_start(parent.stage_before, record.parent),
        parent=record.parent,
    )


def is_stage_before(parent: TaskSpec, task: TaskSpec) -> bool:
    """Whether `parent` is the stage that `task` names as the one before, so that what it says is to start anew does."""
    return task.stage_before == (parent.id, parent.variant)


def taken_over(parent: TaskSpec, task: TaskSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the learner takes from a checkpoint of `parent`, and what it starts anew (`warm_start` of the learner)."""
    start = task.warm_start if is_stage_before(parent, task) else None
    anew = () if start is None else start.fresh_joints
    running = task.agent.normalization == "running"
    others = [joint for joint in task.env.action.columns if joint not in anew]
    loaded, fresh = ["policy weights", "value weights"], ["optimiser", "iteration count"]
    if running:
        loaded.append("normaliser statistics")
    if others:
        loaded.append(f"action noise of {', '.join(others)}" if anew else "action noise")
    if anew:
        fresh.append(f"action noise{' and statistics' if running else ''} of {', '.join(anew)}")
    if start is not None and start.locked_joints:
        fresh.append(f"mean action and input weights of {', '.join(start.locked_joints)}, from 0")
    if start is not None and start.new_terms:
        fresh.append(f"weights of {', '.join(start.new_terms)}, from 0")
    return tuple(loaded), tuple(fresh)


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
    start = task.warm_start if is_stage_before(parent, task) else None
    new, anew = (start.new_terms, start.fresh_joints) if start is not None else ((), ())
    _require_robot(parent.env, task.env, anew, source)
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


def _require_robot(parent: EnvCfg, own: EnvCfg, anew: Sequence[str], source: str) -> None:
    """Observed positions are told from the default pose, and actions by their scale: both must mean the same.

    Raises:
        InputError: on the first difference, but for the scale of joints that start anew.
    """
    if parent.robot.model != own.robot.model:
        raise InputError(f"{source}: env.robot.model is '{parent.robot.model}', the task's is '{own.robot.model}'")
    for joint, cfg in own.robot.joints.items():
        other = parent.robot.joints[joint].default_pos if joint in parent.robot.joints else None
        if other != cfg.default_pos:
            told = f"{other}, the task has {cfg.default_pos}"
            raise InputError(f"{source}: env.robot.joints.{joint}.default_pos is {told}")
    for joint, target in _targets(own.action).items():
        if joint not in anew and _targets(parent.action).get(joint) != target:
            told = f"{_targets(parent.action).get(joint)}, the task has {target}"
            raise InputError(f"{source}: scale and offset of the action on {joint} are {told}")


def _targets(action: ActionCfg) -> dict[str, tuple[float, float]]:
    """Scale and offset of the targets by joint; nothing for an action that moves a hand."""
    match action:
        case JointPositionCfg():
            return dict.fromkeys(action.joints, (action.scale, action.offset))
        case JointTargetsCfg():
            return {joint: (group.scale, 0.0) for group in action.groups.values() for joint in group.joints}
        case DifferentialIkCfg():
            return {}
