"""Checks across the seeds of one set, and of a sweep directory."""

import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genelab.records import names
from genelab.records.check.finding import Finding, attempt
from genelab.records.check.run import WeightsHash, check_run
from genelab.records.files import read_record
from genelab.records.seed_files import SeedFiles
from genelab.records.sweep import SeedEntry, SweepRecord


def check_sweep(
    path: Path, weights_hash: WeightsHash | None
) -> tuple[SweepRecord | None, list[SeedFiles], list[Finding]]:
    """Check a directory with a sweep.json. Returns it, the seeds that could be read whole, and the findings."""
    findings: list[Finding] = []
    sweep_file = path / names.SWEEP
    sweep = attempt(findings, sweep_file, read_record, SweepRecord)
    if sweep is None:
        return None, [], findings
    seeds: list[SeedFiles] = []
    every = frozenset(sweep.seeds_planned)
    for planned in sweep.seeds:
        found, problems = _check_planned(path / f"seed_{planned.seed}", planned, sweep_file, weights_hash)
        findings += problems
        if found:
            seeds.append(found)
            findings += [Finding(found.path / names.RUN, text) for text in _check_against_sweep(found, sweep, every)]
    planned_names = {f"seed_{seed}" for seed in every}
    strays = (folder for folder in sorted(path.glob("seed_*")) if folder.name not in planned_names)
    findings += [Finding(folder, "is no planned seed of the sweep") for folder in strays]
    findings += [Finding(path, problem) for problem in check_together(seeds)]
    return sweep, seeds, findings


def check_together(seeds: Sequence[SeedFiles]) -> Iterator[str]:
    """Problems that show only between the seeds of one set."""
    properties: dict[str, list[Any]] = {
        "tasks": [f"{s.run.task} version {s.run.task_version}" for s in seeds],
        "configs": [s.eval.config.sha256 for s in seeds],
        "protocols": [s.eval.protocol.sha256 for s in seeds],
        "episode limits": [s.eval.protocol.max_steps for s in seeds],
        "checkpoint selections": [s.eval.checkpoint.selection for s in seeds],
        "starts": [s.run.parent and f"{s.run.parent.task} weights {s.run.parent.weights_sha256}" for s in seeds],
    }
    for name, values in properties.items():
        if len(set(values)) > 1:
            yield f"mixed {name}: " + ", ".join(f"seed {s.run.seed} {v}" for s, v in zip(seeds, values, strict=True))
    first: dict[str, SeedFiles] = {}
    for seed in seeds:
        twin = first.setdefault(seed.eval.checkpoint.weights_sha256, seed)
        if twin is not seed:
            yield f"seeds {twin.run.seed} and {seed.run.seed} have equal weights: the seed had no effect"
    yield from _check_baselines(seeds)


def _check_planned(
    folder: Path, planned: SeedEntry, sweep_file: Path, weights_hash: WeightsHash | None
) -> tuple[SeedFiles | None, list[Finding]]:
    if planned.state == "finished":
        return check_run(folder, weights_hash) if folder.is_dir() else (None, [Finding(folder, "missing")])
    why = f" ({planned.reason})" if planned.reason else ""
    if planned.state in ("training", "evaluating") and not is_launched(sweep_file.parent):
        why = ", but its launch has ended; the same command goes on"
    message = f"seed {planned.seed} is not finished: its state is '{planned.state}'{why}"
    return None, [Finding(sweep_file, message, missing_seed=True)]


def is_launched(folder: Path) -> bool:
    """Whether a launch holds the lock of a sweep, which the kernel drops however the process ends."""
    try:
        with (folder / names.LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        # Held, or a file system that does not tell.
        return True
    return False


def _check_against_sweep(seed: SeedFiles, sweep: SweepRecord, planned: frozenset[int]) -> Iterator[str]:
    pairs = {
        "task": (seed.run.task, sweep.task),
        "task_version": (seed.run.task_version, sweep.task_version),
        "config_sha256": (seed.run.config_sha256, sweep.config_sha256),
    }
    for name, (claimed, stored) in pairs.items():
        if claimed != stored:
            yield f"mixed configs: {name} {claimed}, sweep.json has {stored}"
    # A sweep may gain seeds after others are done, so those know fewer.
    if unknown := {*seed.run.seeds_planned, *seed.eval.run.seeds_planned} - planned:
        yield f"seeds_planned: {sorted(unknown)} are not in sweep.json"


def _check_baselines(seeds: Sequence[SeedFiles]) -> Iterator[str]:
    # A baseline depends on the protocol alone. On one CPU machine it repeats to the last bit.
    first: dict[Any, SeedFiles] = {}
    for seed in seeds:
        record = seed.eval
        if record.hardware.gpu is not None:
            continue
        machine = (record.hardware.machine_hash, record.backend.model_dump_json(), repr(record.packages))
        same = (*machine, record.protocol.sha256, record.config.sha256)
        twin = first.setdefault(same, seed)
        others = twin.eval.baselines.by_name
        for name, baseline in record.baselines.by_name.items():
            if name not in others or baseline.episodes != others[name].episodes:
                yield f"the {name} baselines of seeds {twin.run.seed} and {seed.run.seed} differ on one machine"
