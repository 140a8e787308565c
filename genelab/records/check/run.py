"""Check of one run directory: the record against run.json, the snapshot, the checkpoint and the learning curve."""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from genelab.config.snapshot import dump
from genelab.config.task import TaskSpec
from genelab.errors import GenelabError
from genelab.records import names
from genelab.records.check.episodes import check_eval, check_sim2sim
from genelab.records.check.finding import Finding, attempt, mismatches
from genelab.records.check.policy import check_policy
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record, sha256_file
from genelab.records.probe import ProbeRecord
from genelab.records.run import RunRecord, TrainedCheckpoint
from genelab.records.seed_files import SeedFiles, TrainStamps, read_curve, read_snapshot, train_stamps
from genelab.records.sim2sim import Sim2SimRecord, second_engine
from genelab.records.stamps import TRAINER_PACKAGES, other_sums

WeightsHash = Callable[[Path], str]
"""Digest of the tensors in a checkpoint file. Needs torch, so it is handed in."""


def check_run(path: Path, weights_hash: WeightsHash | None) -> tuple[SeedFiles | None, list[Finding]]:
    """Check a directory `seed_<S>`. Returns what it holds if it can be read whole, and the findings."""
    findings: list[Finding] = []
    run_file, eval_file = path / names.RUN, path / names.EVAL
    run = attempt(findings, run_file, read_record, RunRecord)
    if run is None:
        return None, findings
    # A copy may have any name but that of another seed.
    if re.fullmatch(r"seed_\d+", name := path.resolve().name) and name != f"seed_{run.seed}":
        findings.append(Finding(run_file, f"holds seed {run.seed}"))
    if run.status != "finished":
        why = f" ({run.failure.reason}: {run.failure.detail})" if run.failure else ""
        message = f"seed {run.seed} is not finished: its status is '{run.status}'{why}"
        return None, [*findings, Finding(run_file, message, missing_seed=True)]
    task, config_sha256 = attempt(findings, path / names.PARAMS, read_snapshot) or (None, "")
    record = attempt(findings, eval_file, read_record, EvalRecord)
    train = attempt(findings, run_file, _stamps_of, run)
    curve = train and attempt(findings, path / names.CURVE, read_curve, train.timing.iterations)
    if task:
        findings += [Finding(path / names.PARAMS, problem) for problem in _check_snapshot(task, config_sha256, run)]
    if task and train:
        findings += [Finding(run_file, problem) for problem in _check_timing(task, run, train)]
        findings += [Finding(run_file, problem) for problem in _check_stages(task, run, train)]
    for stage in run.stages:
        findings += check_checkpoint(path, stage.checkpoint, weights_hash, required=False)
    if run.checkpoint:
        findings += check_checkpoint(path, run.checkpoint, weights_hash, required=True)
    if record:
        findings += [Finding(eval_file, problem) for problem in check_eval(record)]
        findings += [Finding(eval_file, problem) for problem in _check_against_run(record, run)]
    if record and task:
        findings += [Finding(eval_file, problem) for problem in _check_against_snapshot(record, task)]
    probe = None
    if task and task.probe is not None:
        probe_file = path / names.PROBE
        if not probe_file.is_file():
            command = (
                f"genelab probe {run.task} {path / (run.checkpoint.path if run.checkpoint else '')} --out {probe_file}"
            )
            findings.append(Finding(probe_file, f"missing; `{command}` makes it"))
        else:
            probe = attempt(findings, probe_file, read_record, ProbeRecord)
        if probe:
            findings += [Finding(probe_file, problem) for problem in _check_probe(probe, run, task)]
    sim2sim = None
    if task and run.checkpoint and second_engine(task) is not None:
        file, policy = path / names.SIM2SIM, path / names.POLICY
        if not file.is_file():
            export = f"genelab export {run.task} {path / run.checkpoint.path} --format onnx --out {policy}"
            judge = f"genelab sim2sim {run.task} {policy} --out {file}"
            findings.append(Finding(file, f"missing; `{export}` and `{judge}` make it"))
        else:
            sim2sim = attempt(findings, file, read_record, Sim2SimRecord)
        if sim2sim and record:
            findings += [Finding(file, problem) for problem in check_sim2sim(sim2sim, run, record, task)]
        if sim2sim and policy.is_file() and (sha256 := attempt(findings, policy, sha256_file)):
            pairs = {"policy_sha256": (sim2sim.policy_sha256, sha256)}
            findings += [Finding(file, problem) for problem in mismatches(pairs, policy.name)]
    if not (task and record and train and curve):
        return None, findings
    seed = SeedFiles(path, run, train, record, task, curve, probe, sim2sim)
    return seed, [*findings, *check_policy(path, seed)]


def check_checkpoint(
    folder: Path, claimed: TrainedCheckpoint, weights_hash: WeightsHash | None, *, required: bool
) -> list[Finding]:
    """Check a policy file in the run directory `folder` against its digests."""
    relative = PurePosixPath(claimed.path)
    if relative.is_absolute() or ".." in relative.parts:
        return [Finding(folder, f"checkpoint.path: '{claimed.path}' is not a plain path inside the run directory")]
    path = folder / relative
    if not path.is_file():
        return [Finding(path, "missing")] if required else []
    findings: list[Finding] = []
    sha256 = attempt(findings, path, sha256_file)
    if sha256 is None:
        return findings
    if sha256 != claimed.sha256 or path.stat().st_size != claimed.bytes:
        return [Finding(path, f"is not the recorded file: its sha256 is {sha256}, not {claimed.sha256}")]
    if weights_hash is None:
        return []
    try:
        found = weights_hash(path)
    except GenelabError as error:
        return [Finding(path, str(error))]
    return [] if found == claimed.weights_sha256 else [Finding(path, f"weights_sha256 is {found}")]


def _stamps_of(_: Path, run: RunRecord) -> TrainStamps:
    return train_stamps(run)


def _check_snapshot(task: TaskSpec, sha256: str, run: RunRecord) -> Iterator[str]:
    if sha256 != run.config_sha256:
        yield f"config_sha256 is {sha256}, run.json has {run.config_sha256}"
    for field, stored, claimed in (("id", task.id, run.task), ("task_version", task.task_version, run.task_version)):
        if stored != claimed:
            yield f"task.{field} is {stored!r}, run.json has {claimed!r}"


def _check_timing(task: TaskSpec, run: RunRecord, train: TrainStamps) -> Iterator[str]:
    timing, budget = train.timing, task.all_iterations
    if timing.iterations != budget:
        yield f"timing.iterations: {timing.iterations}, the snapshot's budget is {budget}"
    if run.checkpoint and run.checkpoint.iteration != timing.iterations:
        yield f"checkpoint.iteration: {run.checkpoint.iteration} of {timing.iterations}"
    if timing.env_steps != (steps := task.env_steps(timing.iterations)):
        yield f"timing.env_steps: {timing.env_steps}, the snapshot gives {steps}"
    if not math.isclose(timing.steps_per_s * timing.train_wall_s, timing.env_steps, rel_tol=1e-6):
        yield f"timing.steps_per_s: {timing.steps_per_s} is not env_steps / train_wall_s"


def _check_stages(task: TaskSpec, run: RunRecord, train: TrainStamps) -> Iterator[str]:
    if (found := [stage.name for stage in run.stages]) != (wanted := list(task.stages)):
        yield f"stages: {found}, the snapshot has {wanted}"
        return
    done, spent_s = 0, 0.0
    for stage, cfg in zip(run.stages, task.stages.values(), strict=True):
        done += cfg.train.iterations
        for field, found in (("checkpoint", stage.checkpoint.iteration), ("timing", stage.timing.iterations)):
            if found != done:
                yield f"stages.{stage.name}.{field}: {found} iterations, the snapshot gives {done}"
        if stage.timing.env_steps != (steps := task.env_steps(done)):
            yield f"stages.{stage.name}.timing.env_steps: {stage.timing.env_steps}, the snapshot gives {steps}"
        if not spent_s <= stage.timing.train_wall_s <= train.timing.train_wall_s:
            yield f"stages.{stage.name}.timing.train_wall_s: {stage.timing.train_wall_s} does not rise to the total"
        spent_s = stage.timing.train_wall_s


def _check_against_snapshot(record: EvalRecord, task: TaskSpec) -> Iterator[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        "run.algorithm": (record.run.algorithm, task.agent.algorithm),
        "run.variant": (record.run.variant, task.variant),
        "run.trainer": (record.run.trainer, task.agent.trainer),
        "return_ceiling": (record.return_ceiling, task.return_ceiling),
        "baselines": (sorted(record.baselines.by_name), sorted(["idle", "random", *task.baselines])),
        "drawn_starts": (record.drawn_starts is not None, task.drawn_starts is not None),
    }
    return mismatches(pairs, "the snapshot")


def _check_probe(probe: ProbeRecord, run: RunRecord, task: TaskSpec) -> Iterator[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        "task": (probe.task, run.task),
        "seed": (probe.seed, run.seed),
        "config_sha256": (probe.config_sha256, run.config_sha256),
        "weights_sha256": (probe.weights_sha256, run.checkpoint and run.checkpoint.weights_sha256),
        "iteration": (probe.iteration, run.checkpoint and run.checkpoint.iteration),
    }
    yield from mismatches(pairs, "run.json")
    own = {
        "probe": (dump(probe.probe), task.probe and dump(task.probe)),
        "engine": (probe.engine, task.env.engine),
    }
    yield from mismatches(own, "the snapshot")


def _check_against_run(record: EvalRecord, run: RunRecord) -> Iterator[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        "run.task": (record.run.task, run.task),
        "run.task_version": (record.run.task_version, run.task_version),
        "run.seed": (record.run.seed, run.seed),
        "timing.train": (record.timing.train, run.timing),
        "run.parent": (record.run.parent, run.parent),
        "guards": (record.guards, run.guards),
        "checkpoint": (TrainedCheckpoint(**record.checkpoint.model_dump(exclude={"selection"})), run.checkpoint),
    }
    if record.config.source == "run":
        pairs["config.sha256"] = (record.config.sha256, run.config_sha256)
    if record.round_trip is not None and record.run.trainer in TRAINER_PACKAGES:
        pairs["round_trip.differs"] = ([*record.round_trip.differs], [*other_sums(run, record, record.run.trainer)])
    return mismatches(pairs, "run.json")
