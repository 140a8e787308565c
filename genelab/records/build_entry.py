"""Derives entry.json from the files of a set of seeds."""

import hashlib
import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeVar

from genelab.config.choices import choices
from genelab.config.overrides import Override
from genelab.config.snapshot import canonical_json, differences, dump
from genelab.config.task import ProtocolCfg
from genelab.records import names
from genelab.records.curve import consistency, convergence_iteration, final_average, stability, strength
from genelab.records.derived import no_better_than, success_above_idle
from genelab.records.entry import (
    Aggregate,
    Cost,
    CurveMetrics,
    EntryHeader,
    EntryRecord,
    FailedSeed,
    FileRef,
    SecondOpinion,
    SeedResult,
    Seeds,
)
from genelab.records.files import read_bytes
from genelab.records.seed_files import SeedFiles
from genelab.records.sim2sim import kept_return, lost
from genelab.records.statistics import mean, sample_std, seed_interval, wilson
from genelab.records.sweep import SweepRecord

T = TypeVar("T")


def build_entry(
    header: EntryHeader, sweep: SweepRecord, seeds: Sequence[SeedFiles], files: tuple[FileRef, ...]
) -> EntryRecord:
    """Derive the record of an entry of these files. seeds: the finished ones, checked, at least one."""
    finished = {seed.run.seed for seed in seeds}
    complete = finished == set(sweep.seeds_planned)
    first = seeds[0]
    task = first.task
    runs = tuple(_result(seed) for seed in seeds)
    return EntryRecord(
        **dict(header),
        schema="genelab/entry/2",
        status=_status(seeds, complete=complete),
        task=sweep.task,
        task_version=sweep.task_version,
        variant=task.variant,
        summary=task.summary,
        published_as=task.published_as,
        return_ceiling=task.return_ceiling,
        algorithm=first.eval.run.algorithm,
        trainer=first.eval.run.trainer,
        protocol=first.eval.protocol,
        config_sha256=sweep.config_sha256,
        overrides=first.run.overrides,
        demonstrations=first.run.demonstrations,
        code=tuple(_distinct(stamp for s in seeds for stamp in (*s.train.code, *s.eval.code))),
        packages=tuple(_distinct(versions for s in seeds for versions in (s.train.packages, s.eval.packages))),
        machines=tuple(_distinct(machine for s in seeds for machine in (s.train.hardware, s.eval.hardware))),
        seeds=Seeds(
            planned=sweep.seeds_planned,
            finished=tuple(seed for seed in sweep.seeds_planned if seed in finished),
            failed=tuple(
                FailedSeed(seed=entry.seed, state=entry.state, reason=entry.reason)
                for entry in sweep.seeds
                if entry.seed not in finished
            ),
        ),
        runs=runs,
        aggregate=_aggregate(runs, seeds) if complete else None,
        cost=Cost(
            train_wall_s=sum(run.train_wall_s for run in runs),
            env_steps_per_seed=first.train.timing.env_steps,
            steps_per_s_median=median(seed.train.timing.steps_per_s for seed in seeds),
        ),
        reproduce=_reproduce(sweep, first),
        files=files,
    )


def list_files(folder: Path) -> tuple[FileRef, ...]:
    """Every file below an entry but its entry.json, with digests, sorted by path."""
    found: list[str] = []
    for root, _, files in os.walk(folder):
        place = os.path.relpath(root, folder)
        found += files if place == "." else [f"{place}/{name}" for name in files]
    return tuple(file_ref(folder, name) for name in sorted(found) if name != names.ENTRY)


def file_ref(folder: Path, name: str) -> FileRef:
    """A file of a directory, with its digest. Raises FileError if it cannot be read."""
    data = read_bytes(folder / name)
    return FileRef(path=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def protocol_changes(seed: SeedFiles) -> list[tuple[str, Any, Any]]:
    """Fields at which the protocol used differs from the task's own, as (field, task's, used)."""
    used = seed.eval.protocol.model_dump(mode="json")
    return differences(dump(seed.task.protocol), {name: used[name] for name in ProtocolCfg.model_fields})


def changes(seed: SeedFiles) -> list[Override]:
    """What the command line changed in the registered task. To choose what it leaves open changes nothing."""
    if not seed.run.overrides:
        return []
    chosen = {path for path, _ in choices(seed.task)}
    return [override for override in seed.run.overrides if override.path not in chosen]


def _status(seeds: Sequence[SeedFiles], *, complete: bool) -> Literal["reference", "preview"]:
    changed = any(changes(s) or s.eval.differences_from_registry or protocol_changes(s) or s.run.parent for s in seeds)
    return "reference" if complete and not changed else "preview"


def _result(seed: SeedFiles) -> SeedResult:
    record = seed.eval
    idle, frozen = record.baselines.idle.metrics.return_mean, record.baselines.frozen
    return SeedResult(
        seed=seed.run.seed,
        checkpoint_sha256=record.checkpoint.sha256,
        weights_sha256=record.checkpoint.weights_sha256,
        metrics=record.metrics,
        idle_return_mean=idle,
        idle_success_rate=record.baselines.idle.metrics.success_rate,
        success_above_idle=success_above_idle(record.episodes, record.baselines.idle.episodes),
        no_better_than_idle=no_better_than(record.episodes, record.baselines.idle.episodes),
        no_better_than_frozen=no_better_than(record.episodes, frozen.episodes) if frozen else None,
        random_return_mean=record.baselines.random.metrics.return_mean,
        above_idle=record.above_idle.passed,
        sim2sim=_second_opinion(seed),
        curve=curve_metrics(seed),
        machine_hash=seed.train.hardware.machine_hash,
        train_wall_s=seed.train.timing.train_wall_s,
        eval_wall_s=record.timing.eval_wall_s,
    )


def curve_metrics(seed: SeedFiles) -> CurveMetrics:
    """Statistics of a seed's learning curve in the last stage.

    Earlier stages earn other rewards: their returns say nothing about those of the last one.
    """
    first = seed.task.all_iterations - seed.task.train.iterations
    curve = seed.curve.since(first)
    convergence = convergence_iteration(curve)
    return CurveMetrics(
        convergence_iteration=None if convergence is None else first + convergence,
        final_average=final_average(curve),
        strength=strength(curve, seed.eval.baselines.idle.metrics.return_mean),
        stability=stability(curve),
    )


def _second_opinion(seed: SeedFiles) -> SecondOpinion | None:
    found = seed.sim2sim
    if found is None:
        return None
    return SecondOpinion(
        engine=found.backend.engine,
        return_mean=found.metrics.return_mean,
        idle_return_mean=found.idle.metrics.return_mean,
        success_rate=found.metrics.success_rate,
        kept_return=kept_return(seed.eval, found),
        lost=lost(seed.eval, seed.probe, found),
    )


def _reproduce(sweep: SweepRecord, first: SeedFiles) -> str:
    """One command for every planned seed: the last launch may have trained only some, or evaluated none."""
    requested = first.run.execution.requested
    variant = first.task.variant
    named = ["--variant", variant] if variant else []
    words = ["genelab", "train", sweep.task, *named, "--seeds", ",".join(map(str, sweep.seeds_planned))]
    for override in first.run.overrides:
        words += ["--set", f"{override.path}={canonical_json(override.new)}"]
    words += _option(sweep.command, "--checkpoint") if first.run.parent else []
    if requested.device != "auto":
        words += ["--device", requested.device]
    if requested.threads != 1:
        words += ["--threads", str(requested.threads)]
    return shlex.join([*words, *_option(sweep.command, "--log_dir", "--log-dir")])


def _option(command: Sequence[str], *spellings: str) -> list[str]:
    """An option with its value as recorded, the last one if given twice; empty if not given."""
    found: list[str] = []
    for k, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name in spellings:
            found = [name, value] if equals else [name, *command[k + 1 : k + 2]]
    return found


def _aggregate(runs: Sequence[SeedResult], seeds: Sequence[SeedFiles]) -> Aggregate:
    returns = [run.metrics.return_mean for run in runs]
    strengths = [run.curve.strength for run in runs if run.curve.strength is not None]
    return Aggregate(
        metric="return_mean",
        n_seeds=len(returns),
        mean=mean(returns),
        std=sample_std(returns),
        ci95=seed_interval(returns),
        min=min(returns),
        max=max(returns),
        consistency=consistency(strengths) if len(strengths) == len(runs) else None,
        success_wilson95=_wilson_of([seed.eval.episodes.success for seed in seeds]),
        success_at_end_wilson95=_wilson_of([seed.eval.episodes.success_at_end for seed in seeds]),
    )


def _wilson_of(columns: Sequence[Sequence[bool] | None]) -> tuple[float, float] | None:
    """Interval over all episodes of all seeds; None if a seed does not tell."""
    known = [value for column in columns if column is not None for value in column]
    return wilson(sum(known), len(known)) if known and None not in columns else None


def _distinct(values: Iterable[T]) -> list[T]:
    found: list[T] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
