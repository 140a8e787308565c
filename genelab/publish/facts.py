"""The named lines below an entry's table."""

import os
import shlex
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from genelab.config.choices import choices
from genelab.config.overrides import Override
from genelab.config.snapshot import canonical_json
from genelab.records import names
from genelab.records.build_entry import changes, protocol_changes
from genelab.records.check import CheckedEntry
from genelab.records.derived import WAYS, LevelResult, by_level, metrics_of, share_of_the_way
from genelab.records.entry import EntryRecord
from genelab.records.eval import Episodes
from genelab.records.run import CollectedDemos
from genelab.records.seed_files import SeedFiles
from genelab.records.stamps import CodeStamp, HardwareStamp
from genelab.show.text import cell, number, seconds, single


def results_of(entry: CheckedEntry) -> list[tuple[str, str]]:
    """Named lines on what the policies do, in the order of the page."""
    record, seeds = entry.record, entry.seeds
    facts = [
        ("Over seeds", _over_seeds(record)),
        ("Doing nothing earns", _baseline(seeds, "idle")),
        ("Random actions earn", _baseline(seeds, "random")),
    ]
    if seeds[0].eval.baselines.frozen is not None:
        facts.append(("Standing still as it started earns", _baseline(seeds, "frozen")))
    if measured := _measured(seeds):
        facts.append(("Measured", measured))
    if drawn := _from_drawn_starts(seeds):
        share = seeds[0].task.drawn_starts
        facts.append((f"From starts anywhere, with {share:g} of the noise of a training", drawn))
    if levels := _levels(seeds):
        facts.append(("By level of the terrain on which an episode began", levels))
    if record.return_ceiling is not None:
        facts.append(("Largest possible return", number(record.return_ceiling)))
    return facts


def provenance_of(entry: CheckedEntry, page: Path) -> list[tuple[str, str]]:
    """Named lines on how the entry was made, in the order of the page."""
    record, seeds = entry.record, entry.seeds
    changed = changes(seeds[0])
    told = [f"{o.path} {canonical_json(o.old)} → {canonical_json(o.new)}" for o in changed]
    chosen = [_chosen(seeds[0], o) for o in record.overrides if o not in changed]
    registry = {d.path for s in seeds for d in s.eval.differences_from_registry}
    guards = [f"seed {s.run.seed} {name} {count}" for s in seeds for name, count in s.eval.guards.items() if count]
    exact = "" if seeds[0].task.env.resume == "exact" else ", not as if it had never stopped"
    resumed = [f"seed {s.run.seed} in {len(s.run.attempts)} attempts{exact}" for s in seeds if len(s.run.attempts) > 1]
    optional = {
        "Trained in stages": _stages(seeds),
        "Started from": _starts(seeds),
        "Changed by the command line": told,
        "Chosen, as the task leaves it open": chosen,
        "Differs from the installed task in": sorted(registry),
        "Guards counted": guards,
        "Training was resumed": resumed,
    }
    return [
        ("Protocol", _protocol(record, seeds)),
        ("Reload check", _round_trip(seeds)),
        *((name, cell(", ".join(parts))) for name, parts in optional.items() if parts),
        ("Hardware", cell("; ".join(_machine(machine) for machine in record.machines))),
        ("Software", cell("; ".join(_versions(packages) for packages in record.packages))),
        ("Flags", cell("; ".join(dict.fromkeys(_flags(seed) for seed in seeds)))),
        ("Code", cell(", ".join(_code(stamp) for stamp in record.code))),
        ("Config", _config(entry)),
        *_demonstrations(entry),
        ("Records", _records(entry, page)),
        ("Reproduce", f"`{record.reproduce}` at the commit above, whose tasks have this config"),
    ]


def _chosen(seed: SeedFiles, override: Override) -> str:
    file = _chosen_file(seed, override.path)
    return f"{override.path} = {canonical_json(override.new)}" + (f" (sha256 `{file[1]}`)" if file else "")


def _config(entry: CheckedEntry) -> str:
    digest = f"`{entry.record.config_sha256}`"
    if not any(_chosen_file(entry.seeds[0], override.path) for override in entry.record.overrides):
        return digest
    return f"{digest}; the digest of a chosen file is part of it, so that another file makes another config"


def _demonstrations(entry: CheckedEntry) -> list[tuple[str, str]]:
    """How to get the demonstrations; nothing for a task that needs none."""
    if entry.record.demonstrations is None:
        return []
    command = _collect_command(entry.seeds[0], entry.record.demonstrations)
    return [
        ("Demonstrations", f"`{cell(command)}` collects them again, to the same sha256 on the same kind of machine")
    ]


def _chosen_file(seed: SeedFiles, path: str) -> tuple[str, str] | None:
    """Place and SHA-256 of the file that a run chose under a dotted path; None if that is no chosen file."""
    choice = dict(choices(seed.task)).get(path)
    return (str(choice.value), choice.sha256) if choice and choice.sha256 else None


def _collect_command(seed: SeedFiles, source: CollectedDemos) -> str:
    """The command that collects the demonstrations of a run again."""
    words = ["genelab", "collect-demos", seed.run.task, "--num-envs", str(source.num_envs)]
    words += ["--steps", str(source.steps), "--seed", str(source.seed)]
    for override in seed.run.overrides:
        if override.path.startswith("env."):
            words += ["--set", f"{override.path}={canonical_json(override.new)}"]
    chosen = _chosen_file(seed, names.DEMO_PATH)
    return shlex.join([*words, "--out", chosen[0] if chosen else "demos.safetensors"])


def _over_seeds(record: EntryRecord) -> str:
    over = record.aggregate
    if over is None:
        finished, planned = len(record.seeds.finished), len(record.seeds.planned)
        lost = [f"seed {s.seed} {s.state}" + (f" ({s.reason})" if s.reason else "") for s in record.seeds.failed]
        return f"**{finished}/{planned} seeds**, so no mean: {cell(', '.join(lost))}"
    spread = "no interval for one seed"
    if over.ci95 is not None:
        low, high = over.ci95
        spread = f"95 % interval {number(low)} to {number(high)} (Student-t over seeds), std {number(over.std)}"
    text = f"n = {over.n_seeds}, mean {number(over.mean)}, {spread}, min {number(over.min)}, max {number(over.max)}"
    if over.success_wilson95 is not None:
        low, high = over.success_wilson95
        text += f"; success rate {number(low)} to {number(high)} (95 % Wilson over all episodes)"
    if over.success_at_end_wilson95 is not None:
        low, high = over.success_at_end_wilson95
        text += f", at the end {number(low)} to {number(high)}"
    return text


def _baseline(seeds: Sequence[SeedFiles], name: str) -> str:
    metrics = [seed.eval.baselines.by_name[name].metrics for seed in seeds]
    mean, std = single([m.return_mean for m in metrics]), single([m.return_std for m in metrics])
    reached = ""
    for label, rates in (
        ("success", [m.success_rate for m in metrics if m.success_rate is not None]),
        ("at the end", [m.success_at_end_rate for m in metrics if m.success_at_end_rate is not None]),
    ):
        reached += f", {label} {single(rates)}" if rates else ""
    return f"{mean} (std {std}), {single([m.length_mean for m in metrics], 1)} steps{reached}"


def _stages(seeds: Sequence[SeedFiles]) -> list[str]:
    """Each stage with its budget and, for each seed, its wall-clock; empty for a task that is trained in one."""
    if not seeds[0].task.stages:
        return []
    walls = zip(*map(_walls, seeds), strict=True)
    return [
        f"{name or 'the task'} {stage.train.iterations} iterations in {' / '.join(map(seconds, wall))}"
        for (name, stage), wall in zip(seeds[0].task.line(), walls, strict=True)
    ]


def _walls(seed: SeedFiles) -> list[float]:
    """Wall-clock of each stage by itself, s."""
    ends = [*(stage.timing.train_wall_s for stage in seed.run.stages), seed.train.timing.train_wall_s]
    return [end - begin for begin, end in pairwise([0.0, *ends])]


def _starts(seeds: Sequence[SeedFiles]) -> list[str]:
    """The checkpoint that every seed started from; empty for training from scratch."""
    parent = seeds[0].run.parent
    if parent is None:
        return []
    variant = f" variant {parent.variant}" if parent.variant else ""
    return [
        f"{parent.task}{variant} {f'stage {parent.stage} ' if parent.stage else ''}seed {parent.seed}",
        f"iteration {parent.iteration}",
        f"weights `{parent.weights_sha256[:12]}`",
        f"config `{parent.config_sha256[:12]}`",
        "**not how the task is trained as registered**",
    ]


def _measured(seeds: Sequence[SeedFiles]) -> str:
    """What the task measures, of the policies and beside it of doing nothing; empty where it measures nothing."""
    policies = [seed.eval.episodes for seed in seeds]
    idle = [seed.eval.baselines.idle.episodes for seed in seeds]
    frozen = [seed.eval.baselines.frozen.episodes for seed in seeds if seed.eval.baselines.frozen]
    units = {name: measure.unit for name, measure in seeds[0].task.env.measures.items()}

    def both(label: str, of: Callable[[Episodes], float | None], unit: str = "") -> str | None:
        ours, nothing, still = (
            [value for value in map(of, sets) if value is not None] for sets in (policies, idle, frozen)
        )
        if not ours or not nothing:
            return None
        beside = f", standing still {single(still)}{unit}" if still else ""
        return f"{label} {single(ours)}{unit} (doing nothing {single(nothing)}{unit}{beside})"

    parts = [
        both("share of the commanded distance", share_of_the_way),
        both("falls", lambda episodes: metrics_of(episodes).fall_rate),
        *(
            both(
                name.replace("_", " "), lambda episodes, name=name: metrics_of(episodes).measures.get(name), f" {unit}"
            )
            for name, unit in units.items()
        ),
    ]
    return cell("; ".join(part for part in parts if part))


def _from_drawn_starts(seeds: Sequence[SeedFiles]) -> str:
    """What the policies do in episodes that start as those of a training; empty for a task without."""
    found = [seed.eval.drawn_starts for seed in seeds if seed.eval.drawn_starts is not None]
    if not found:
        return ""
    metrics, units = [each.metrics for each in found], seeds[0].task.env.measures
    parts = [f"return {single([m.return_mean for m in metrics])}, {single([m.length_mean for m in metrics], 1)} steps"]
    falls = [m.fall_rate for m in metrics if m.fall_rate is not None]
    if falls:
        parts.append(f"reaching the end {single([1.0 - fall for fall in falls])}")
    ways = [way for way in (share_of_the_way(each.episodes) for each in found) if way is not None]
    if ways:
        parts.append(f"share of the distance {single(ways)}")
    parts += [
        f"{name.replace('_', ' ')} {single([m.measures[name] for m in metrics])} {units[name].unit}"
        for name in metrics[0].measures
        if name not in WAYS
    ]
    return cell("; ".join(parts))


def _levels(seeds: Sequence[SeedFiles]) -> str:
    """Results by level; empty without a terrain."""
    terrain = seeds[0].task.env.terrain
    if terrain is None:
        return ""
    policies = zip(*(by_level(seed.eval.episodes, terrain.rows) for seed in seeds), strict=True)
    idle = zip(*(by_level(seed.eval.baselines.idle.episodes, terrain.rows) for seed in seeds), strict=True)
    parts = [
        f"level {ours[0].level} {_level(ours)} (doing nothing {_level(nothing)})"
        for ours, nothing in zip(policies, idle, strict=True)
    ]
    return cell("; ".join(parts))


def _level(results: Sequence[LevelResult]) -> str:
    ways = [result.share_of_the_way for result in results if result.share_of_the_way is not None]
    told = f"return {single([r.return_mean for r in results])}, falls {single([r.fall_rate for r in results])}"
    return told + (f", distance {single(ways)}" if ways else "")


def _protocol(record: EntryRecord, seeds: Sequence[SeedFiles]) -> str:
    p = record.protocol
    noise, pushes = ("on" if on else "off" for on in (p.observation_noise, p.disturbances))
    action = "mean action" if p.deterministic else "sampled action"
    other = dict.fromkeys(f"{field} {old} → {new}" for s in seeds for field, old, new in protocol_changes(s))
    changed = f"; **changed from the task's own: {', '.join(other)}**" if other else ""
    return (
        f"{p.id} {p.version}: {p.episodes} episodes, {p.num_envs} environments, seed {p.seed}, {action}, "
        f"observation noise {noise}, disturbances {pushes}, at most {p.max_steps} steps{changed}"
    )


def _round_trip(seeds: Sequence[SeedFiles]) -> str:
    made = [seed.eval.round_trip for seed in seeds if seed.eval.round_trip]
    if len(made) < len(seeds):
        return f"**made on {len(made)} of {len(seeds)} seeds only**"
    largest = max(trip.max_abs_difference for trip in made)
    episodes = min(trip.episodes for trip in made)
    told = f"in-memory and reloaded policy on {episodes} episodes a seed, largest difference of a return {largest:g}"
    elsewhere = sum(bool(trip.differs) for trip in made)
    if not elsewhere:
        return told
    return f"{told}; {elsewhere} of {len(seeds)} seeds evaluated on another processor, versions or threads than trained"


def _machine(machine: HardwareStamp) -> str:
    gpu = f"{machine.gpu.name}, driver {machine.gpu.driver}; " if machine.gpu else ""
    memory = "memory unknown" if machine.ram_bytes is None else f"{machine.ram_bytes / 2**30:.1f} GiB"
    return (
        f"{gpu}{machine.cpu.model}, {machine.cpu.usable_cores} cores, {memory}, {machine.os} (`{machine.machine_hash}`)"
    )


def _versions(packages: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items())


def _flags(seed: SeedFiles) -> str:
    backend = seed.train.backend
    parts = [
        f"{backend.engine} {backend.runs_on}",
        *([f"{backend.precision} bit"] if backend.precision else []),
        f"{backend.torch.num_threads} torch thread(s)",
    ]
    parts.append("deterministic" if backend.torch.deterministic else "not deterministic")
    return ", ".join(parts + [f"{name}={value}" for name, value in backend.env.items()])


def _code(stamp: CodeStamp) -> str:
    source = f"commit {stamp.commit[:12]}" if stamp.commit else "commit unknown" if stamp.problem else "installed"
    source += ", **with uncommitted changes**" if stamp.dirty else ""
    return f"{stamp.name} {stamp.version} ({source}{f', **{cell(stamp.problem)}**' if stamp.problem else ''})"


def _records(entry: CheckedEntry, page: Path) -> str:
    links = [f"[seed {seed.run.seed}]({link(seed.path / 'eval.json', page)})" for seed in entry.seeds]
    links += [
        f"[{what} of seed {seed.run.seed}]({link(seed.path / name, page)})"
        for what, name in (("film", names.FILM), ("probe", names.PROBE_PLOT))
        for seed in entry.seeds
        if (seed.path / name).is_file()
    ]
    links.append(f"[entry]({link(entry.path / names.ENTRY, page)})")
    links += [
        f"[policy of seed {seed.run.seed}]({link(seed.path / names.POLICY, page)})"
        for seed in entry.seeds
        if seed.sim2sim
    ]
    return ", ".join(links)


def link(path: Path, page: Path) -> str:
    """A link from the page to a file."""
    return Path(os.path.relpath(path, page.parent)).as_posix()
