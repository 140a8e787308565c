"""Check of exported policies: each contract against the seed that it names, and against the file beside it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genelab.config.task import TaskSpec
from genelab.records import names
from genelab.records.check.finding import Finding, attempt, mismatches
from genelab.records.contract import action_of, goal_of, input_names, observation_of, robot_of, timing_of, tolerance_of
from genelab.records.export import ExportRecord, Observation
from genelab.records.files import read_bytes, read_record
from genelab.records.run import TrainedCheckpoint
from genelab.records.seed_files import SeedFiles

_SUFFIX = ".metadata.json"
_ZIP = b"PK\x03\x04"
"""How a TorchScript file begins, and no ONNX file."""


def check_policy(folder: Path, seed: SeedFiles) -> list[Finding]:
    """Check every `<policy>.metadata.json` in the directory of a seed, and that a policy judged elsewhere is there."""
    findings: list[Finding] = []
    contracts = sorted(folder.glob(f"*{_SUFFIX}"))
    if seed.sim2sim is not None and folder / f"{names.POLICY}{_SUFFIX}" not in contracts:
        findings.append(Finding(folder / f"{names.POLICY}{_SUFFIX}", "missing, beside a sim2sim.json"))
    for path in contracts:
        if record := attempt(findings, path, read_record, ExportRecord):
            of_file = attempt(findings, path, _of_file, record) or []
            problems = (*of_file, *_of_parity(record), *_of_seed(record, seed), *_of_task(record, seed.task))
            findings += [Finding(path, problem) for problem in problems]
    return findings


def _of_file(path: Path, record: ExportRecord) -> list[str]:
    """Compare with the policy file. Raises FileError if it cannot be read."""
    model = path.with_name(path.name.removesuffix(_SUFFIX))
    if record.file.name != model.name:
        return [f"file.name: '{record.file.name}' does not belong to this file"]
    data = read_bytes(model)
    pairs = {
        "file.sha256": (record.file.sha256, hashlib.sha256(data).hexdigest()),
        "file.bytes": (record.file.bytes, len(data)),
        "file.format": (record.file.format, "torchscript" if data.startswith(_ZIP) else "onnx"),
    }
    return list(mismatches(pairs, f"'{model.name}'"))


def _of_parity(record: ExportRecord) -> Iterator[str]:
    """Compare the verdict with its numbers. What was measured cannot be measured again here."""
    parity = record.parity
    if parity.tolerance != tolerance_of(parity.largest_action):
        yield f"parity.tolerance: {parity.tolerance}, largest_action gives {tolerance_of(parity.largest_action)}"
    if not parity.passed or parity.max_abs_difference > parity.tolerance:
        rule = "a policy that does not pass is not kept"
        yield f"parity.passed: {parity.passed}, {parity.max_abs_difference} of {parity.tolerance} allowed: {rule}"
    if (rows := parity.recorded_rows + parity.random_rows) != parity.batch_sizes[-1]:
        yield f"parity.batch_sizes: the last is {parity.batch_sizes[-1]}, there are {rows} rows"


def _of_seed(record: ExportRecord, seed: SeedFiles) -> Iterator[str]:
    """Compare with the records of the seed."""
    trained = TrainedCheckpoint(**seed.eval.checkpoint.model_dump(exclude={"selection"}))
    pairs: dict[str, tuple[Any, Any]] = {
        "task": (record.task, seed.run.task),
        "seed": (record.seed, seed.run.seed),
        "task_version": (record.task_version, seed.run.task_version),
        "config_sha256": (record.config_sha256, seed.run.config_sha256),
        "checkpoint": (record.checkpoint, trained),
    }
    return mismatches(pairs, f"seed {record.seed}")


def _of_task(record: ExportRecord, task: TaskSpec) -> Iterator[str]:
    """Compare with what the snapshot of the seed says about inputs, output and timing.

    What the columns of a term are, and what it means, only the code of its function tells.
    """
    env, claimed = task.env, (record.observation, *record.goals)
    groups = task.agent.actor_groups
    stacked = [len(env.observations[group].terms) * env.observations[group].history for group in groups]
    if [len(each.terms) for each in claimed] != stacked:
        yield f"observation: has not the terms of the groups {', '.join(groups)}, which the snapshot has"
        return
    expected: list[Observation] = []
    for group, name, each in zip(groups, input_names(task.agent), claimed, strict=True):
        columns = [(term.columns, term.unit) for term in each.terms]
        expected.append(observation_of(task, group, name, columns, _unknown))
    first, *goals = expected
    derived = record.replace(
        observation=first,
        goals=tuple(goals),
        goal=goal_of(env, _unknown),
        action=action_of(env),
        timing=timing_of(env),
        robot=robot_of(env),
    )
    told, stored = (_without_meaning(each.model_dump(mode="json")) for each in (record, derived))
    yield from mismatches({"": (told, stored)}, f"the snapshot of seed {record.seed}")


def _unknown(_: str) -> None:
    """Only the code of a function tells what it means."""
    return


def _without_meaning(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_meaning(item) for name, item in value.items() if name != "meaning"}
    return [_without_meaning(item) for item in value] if isinstance(value, list) else value
