"""What the page shows of an entry: every string and row that the template lays out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genelab.config.snapshot import canonical_json
from genelab.publish.published import PublishedRow
from genelab.publish.text import NONE, cell, number, seconds, single
from genelab.records.build_entry import protocol_changes
from genelab.records.check import CheckedEntry
from genelab.records.entry import EntryRecord
from genelab.records.seed_files import SeedFiles
from genelab.records.stamps import CodeStamp, HardwareStamp
from genelab.records.statistics import Sample, sample

Row = tuple[str, ...]

ABOVE, NOT_ABOVE = "clearly above", "**NOT clearly above**"
"""Verdict against idle, as printed."""


@dataclass(frozen=True)
class EntryView:
    """One entry of a task."""

    record: EntryRecord
    """entry.json."""
    rows: list[Row]
    """Seed, return mean and std, length, success, convergence iteration, train and eval wall, verdict against idle."""
    curve_rows: list[Row]
    """Seed, final average, strength, stability."""
    facts: list[tuple[str, str]]
    """Named lines below the table."""


@dataclass(frozen=True)
class PublishedTable:
    """Published rows beside ours."""

    task: str
    """Task they belong to."""
    same_task: bool
    """Whether it is the task of the section."""
    rows: list[Row]
    """Label, seed, return mean and std, length, success, convergence, train and eval wall, verdict against our idle."""


@dataclass(frozen=True)
class TaskView:
    """One section of the page."""

    task: str
    """Task identifier."""
    picture: str
    """Path of the learning curves, relative to the page."""
    current: EntryView
    """Newest entry."""
    previous: list[EntryView]
    """Older entries, the newest first."""
    published: PublishedTable | None
    """Published rows; None for none."""


def task_view(entries: Sequence[CheckedEntry], published: Sequence[PublishedRow], page: Path, picture: Path) -> TaskView:
    """View of a task. entries: its entries, the newest first, at least one."""
    views = [_entry_view(entry, page) for entry in entries]
    return TaskView(
        task=entries[0].record.task,
        picture=_link(picture, page),
        current=views[0],
        previous=views[1:],
        published=_published_table(entries[0], published),
    )


def _entry_view(entry: CheckedEntry, page: Path) -> EntryView:
    rows: list[Row] = []
    curve_rows: list[Row] = []
    for run in entry.record.runs:
        metrics, curve = run.metrics, run.curve
        convergence = NONE if curve.convergence_iteration is None else str(curve.convergence_iteration)
        rows.append(
            (
                str(run.seed),
                number(metrics.return_mean),
                number(metrics.return_std),
                number(metrics.length_mean, 1),
                number(metrics.success_rate),
                convergence,
                seconds(run.train_wall_s),
                seconds(run.eval_wall_s),
                ABOVE if run.above_idle else NOT_ABOVE,
            )
        )
        curve_rows.append(
            (str(run.seed), number(curve.final_average), number(curve.strength), number(curve.stability))
        )
    return EntryView(entry.record, rows, curve_rows, _facts(entry, page))


def _facts(entry: CheckedEntry, page: Path) -> list[tuple[str, str]]:
    record, seeds = entry.record, entry.seeds
    facts = [
        ("Over seeds", _over_seeds(record)),
        ("Doing nothing earns", _baseline(seeds, "idle")),
        ("Random actions earn", _baseline(seeds, "random")),
    ]
    if record.return_ceiling is not None:
        facts.append(("Largest possible return", number(record.return_ceiling)))
    facts.append(("Protocol", _protocol(record, seeds)))
    changes = [f"{change.path}: {canonical_json(change.old)} → {canonical_json(change.new)}" for change in record.overrides]
    registry = {d.path for s in seeds for d in s.eval.differences_from_registry}
    guards = [f"seed {s.run.seed} {name} {count}" for s in seeds for name, count in s.eval.guards.items() if count]
    resumed = [f"seed {s.run.seed} in {len(s.run.attempts)} attempts" for s in seeds if len(s.run.attempts) > 1]
    optional = {
        "Changed by the command line": changes,
        "Differs from the installed task in": sorted(registry),
        "Guards counted": guards,
        "Training was resumed": resumed,
    }
    facts += [(name, cell(", ".join(parts))) for name, parts in optional.items() if parts]
    return [
        *facts,
        ("Hardware", cell("; ".join(_machine(machine) for machine in record.machines))),
        ("Software", cell("; ".join(", ".join(f"{n} {v}" for n, v in versions.items()) for versions in record.packages))),
        ("Flags", cell("; ".join(dict.fromkeys(_flags(seed) for seed in seeds)))),
        ("Code", cell(", ".join(_code(stamp) for stamp in record.code))),
        ("Config", f"`{record.config_sha256}`"),
        ("Records", _records(entry, page)),
        ("Reproduce", f"`{record.reproduce}`"),
    ]


def _over_seeds(record: EntryRecord) -> str:
    over = record.aggregate
    if over is None:
        finished, planned = len(record.seeds.finished), len(record.seeds.planned)
        lost = ", ".join(f"seed {s.seed} {s.state}" + (f" ({s.reason})" if s.reason else "") for s in record.seeds.failed)
        return f"**{finished}/{planned} seeds**, so no mean: {cell(lost)}"
    spread = "no interval for one seed"
    if over.ci95 is not None:
        low, high = over.ci95
        spread = f"95 % interval {number(low)} to {number(high)} (Student-t over seeds), std {number(over.std)}"
    text = f"n = {over.n_seeds}, mean {number(over.mean)}, {spread}, min {number(over.min)}, max {number(over.max)}"
    if over.success_wilson95 is not None:
        low, high = over.success_wilson95
        text += f"; success rate {number(low)} to {number(high)} (95 % Wilson over all episodes)"
    return text


def _baseline(seeds: Sequence[SeedFiles], name: str) -> str:
    metrics = [getattr(seed.eval.baselines, name).metrics for seed in seeds]
    mean, std = single([m.return_mean for m in metrics]), single([m.return_std for m in metrics])
    return f"{mean} (std {std}), {single([m.length_mean for m in metrics], 1)} steps"


def _protocol(record: EntryRecord, seeds: Sequence[SeedFiles]) -> str:
    p = record.protocol
    noise, pushes = ("on" if on else "off" for on in (p.observation_noise, p.disturbances))
    action = "mean action" if p.deterministic else "sampled action"
    changes = dict.fromkeys(f"{field} {old} → {new}" for s in seeds for field, old, new in protocol_changes(s))
    changed = f"; **changed from the task's own: {', '.join(changes)}**" if changes else ""
    return (
        f"{p.id} {p.version}: {p.episodes} episodes, {p.num_envs} environments, seed {p.seed}, {action}, observation noise "
        f"{noise}, disturbances {pushes}, at most {p.max_steps} steps{changed}"
    )


def _machine(machine: HardwareStamp) -> str:
    gpu = f"{machine.gpu.name}, driver {machine.gpu.driver}; " if machine.gpu else ""
    cores = f"{machine.cpu.usable_cores} of {machine.cpu.logical_cores} cores"
    return f"{gpu}{machine.cpu.model} ({cores}), {machine.ram_bytes / 2**30:.1f} GiB, {machine.os} (`{machine.machine_hash}`)"


def _flags(seed: SeedFiles) -> str:
    backend = seed.train.backend
    env = "".join(f", {name}={value}" for name, value in backend.env.items())
    deterministic = "deterministic" if backend.torch.deterministic else "not deterministic"
    return f"genesis {backend.genesis}, {backend.precision} bit, torch {backend.torch.num_threads} thread(s), {deterministic}{env}"


def _code(stamp: CodeStamp) -> str:
    source = f"commit {stamp.commit[:12]}" if stamp.commit else "installed"
    return f"{stamp.name} {stamp.version} ({source}{', **with uncommitted changes**' if stamp.dirty else ''})"


def _records(entry: CheckedEntry, page: Path) -> str:
    links = [f"[seed {seed.run.seed}]({_link(seed.path / 'eval.json', page)})" for seed in entry.seeds]
    links.append(f"[entry]({_link(entry.path / 'entry.json', page)})")
    if (entry.path / "policy").is_dir():
        links.append(f"[exported policy]({_link(entry.path / 'policy', page)})")
    return ", ".join(links)


def _published_table(entry: CheckedEntry, published: Sequence[PublishedRow]) -> PublishedTable | None:
    record = entry.record
    rows = [row for row in published if row.task == record.published_as]
    if not rows:
        return None
    same = record.published_as == record.task
    idle = sample(entry.seeds[0].eval.baselines.idle.episodes.return_) if same else None
    return PublishedTable(rows[0].task, same, [_published_row(row, idle) for row in rows])


def _published_row(row: PublishedRow, idle: Sample | None) -> Row:
    verdict = row.above_idle(idle) if idle else None
    return (
        cell(row.label),
        str(row.seed),
        number(row.return_mean),
        number(row.return_std),
        number(row.length_mean, 1),
        number(row.success_rate),
        NONE if row.convergence is None else f"{row.convergence} {row.convergence_unit or ''}".strip(),
        cell(row.train_wall or NONE),
        seconds(row.eval_wall_s),
        NONE if verdict is None else (ABOVE if verdict else NOT_ABOVE),
        cell(row.hardware or NONE),
    )


def _link(path: Path, page: Path) -> str:
    return Path(os.path.relpath(path, page.parent)).as_posix()
