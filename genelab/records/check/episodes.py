"""Check of one eval.json by itself: everything that follows from its episodes is recomputed."""

from collections.abc import Iterator
from typing import Any

from genelab.config.task import TaskSpec
from genelab.records.check.finding import mismatches, unequal
from genelab.records.derived import metrics_of, round_trip_of
from genelab.records.eval import Episodes, EvalRecord, Protocol, protocol_sha256
from genelab.records.run import RunRecord
from genelab.records.sim2sim import Sim2SimRecord, second_engine
from genelab.records.statistics import above_idle

CEILING_SLACK = 1e-4
"""Share of the ceiling by which float32 reward sums may exceed it."""


def check_eval(record: EvalRecord) -> list[str]:
    """Problems of a record that show without any other file."""
    found: list[str] = []
    protocol = record.protocol
    if protocol.sha256 != protocol_sha256(protocol):
        found.append(f"protocol.sha256: {protocol.sha256} stored, {protocol_sha256(protocol)} recomputed")
    sets = {
        "": (record.episodes, record.metrics),
        **{f"baselines.{name}.": (each.episodes, each.metrics) for name, each in record.baselines.by_name.items()},
        **({"drawn_starts.": (drawn.episodes, drawn.metrics)} if (drawn := record.drawn_starts) else {}),
    }
    for where, (episodes, metrics) in sets.items():
        found += [f"{where}{problem}" for problem in _check_episodes(episodes, protocol, record.return_ceiling)]
        found += unequal(metrics, metrics_of(episodes), f"{where}metrics")
    if len({episodes.success is None for episodes, _ in sets.values()}) > 1:
        found.append("episodes.success: told of the policy or a baseline, and not of all")
    if len({tuple(episodes.measures) for episodes, _ in sets.values()}) > 1:
        found.append("episodes.measures: not the same of the policy and its baselines")
    verdict = above_idle(record.episodes.return_, record.baselines.idle.episodes.return_)
    found += unequal(record.above_idle, verdict, "above_idle")
    found += _check_round_trip(record)
    if record.run.seed not in record.run.seeds_planned:
        found.append(f"run.seed: {record.run.seed} is not among the planned seeds {list(record.run.seeds_planned)}")
    return found


def check_sim2sim(record: Sim2SimRecord, run: RunRecord, first: EvalRecord, task: TaskSpec) -> Iterator[str]:
    """Problems of what an exported policy earned in the other simulator. `first`: what it earned in its own."""
    if record.protocol.sha256 != protocol_sha256(record.protocol):
        yield f"protocol.sha256: {record.protocol.sha256} stored, {protocol_sha256(record.protocol)} recomputed"
    for where, episodes, metrics in (
        ("", record.episodes, record.metrics),
        ("idle.", record.idle.episodes, record.idle.metrics),
    ):
        yield from (f"{where}{problem}" for problem in _check_episodes(episodes, record.protocol, first.return_ceiling))
        yield from unequal(metrics, metrics_of(episodes), f"{where}metrics")
    pairs: dict[str, tuple[Any, Any]] = {
        "task": (record.task, run.task),
        "seed": (record.seed, run.seed),
        "config_sha256": (record.config_sha256, run.config_sha256),
        "weights_sha256": (record.weights_sha256, run.checkpoint and run.checkpoint.weights_sha256),
        "backend.engine": (record.backend.engine, second_engine(task)),
    }
    yield from mismatches(pairs, "run.json")
    cases = [[case.name, *case.command, len(case.achieved)] for case in record.probe]
    probe = task.probe
    wanted = [[name, *command, probe.num_envs] for name, command in probe.cases.items()] if probe else []
    told = [[episodes.success is None, *episodes.measures] for episodes in (record.episodes, record.idle.episodes)]
    own = {
        "protocol.sha256": (record.protocol.sha256, first.protocol.sha256),
        "success and measures": (told, [[first.episodes.success is None, *first.episodes.measures]] * 2),
    }
    yield from mismatches({"probe": (cases, wanted)}, "the snapshot")
    yield from mismatches(own, "eval.json")


def _check_episodes(episodes: Episodes, protocol: Protocol, ceiling: float | None) -> Iterator[str]:
    if len(episodes.index) != protocol.episodes:
        yield f"episodes: {len(episodes.index)} recorded, the protocol has {protocol.episodes}"
    for k, (length, end) in enumerate(zip(episodes.length, episodes.end, strict=True)):
        at_limit = length == protocol.max_steps
        if length > protocol.max_steps or (end == "truncated" and not at_limit) or (end == "cut_short" and at_limit):
            yield f"episodes.length: episode {k} was {end} at step {length}, the limit is {protocol.max_steps}"
    if episodes.success is None and episodes.success_at_end is not None:
        yield "episodes.success: null, beside a success_at_end"
    for k, (ever, at_end) in enumerate(zip(episodes.success or (), episodes.success_at_end or (), strict=False)):
        if at_end and not ever:
            yield f"episodes.success: episode {k} succeeded at its end, and never"
    if ceiling is not None and max(episodes.return_) > ceiling + CEILING_SLACK * abs(ceiling):
        yield f"episodes.return: {max(episodes.return_)} exceeds the ceiling {ceiling}"


def _check_round_trip(record: EvalRecord) -> Iterator[str]:
    stored = record.round_trip
    if stored is None:
        return
    try:
        recomputed = round_trip_of(stored.in_memory_return, record.episodes, stored.tolerance, stored.differs)
    except ValueError as error:
        yield f"round_trip: {error}"
        return
    yield from unequal(stored, recomputed, "round_trip")
    if recomputed.broken:
        yield (
            f"round_trip: the reloaded policy differs by {recomputed.max_abs_difference} from the one in memory, "
            f"the tolerance is {stored.tolerance}"
        )
