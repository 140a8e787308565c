"""The comparison of two sides, in the order that docs/guides/compare.md gives."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from genelab.compare.rule import seeds_needed, verdicts, welch
from genelab.compare.sides import Side
from genelab.config.choices import choices
from genelab.config.commands import CompareCfg
from genelab.config.snapshot import differences, dump
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records.build_entry import curve_metrics
from genelab.records.compare import (
    ComparedMetric,
    ComparedSide,
    CompareRecord,
    EqualEpisodes,
    FieldDifference,
    SideValues,
    Verdict,
)
from genelab.records.eval import EvalRecord, Metrics
from genelab.records.statistics import mean, newcombe, sample_std, seed_interval

RATES = ("success_rate", "success_at_end_rate")
"""Metrics that are shares of successes."""
OF_EVERY_TASK = ("return_mean", *RATES, "fall_rate")
"""Metrics that are no measures of the task."""
OF_CURVES = ("final_average", "strength", "stability")
"""Statistics of the learning curve: compared where one of them is asked for, of runs, sweeps and entries."""
LOWER = ("_error", "_distance", "fall_rate")
"""Endings of the names of metrics that are better when they are lower."""
NOT_JUDGED_IN = tuple(f"env.{part}" for part in ("observations", "disturbances", "randomizations", "measures"))
"""Parts of an environment that may differ: the policy's own business, off in an evaluation, or only shown."""


def compare(a: Side, b: Side, cfg: CompareCfg, *, across: bool = False, any_budget: bool = False) -> CompareRecord:
    """Compare the new side B with the old side A.

    Args:
        across: whether budget and environment may differ; the record names what does.
        any_budget: whether the budget alone may differ; the record names it.

    Raises:
        InputError: if neither side has the metric, or the metric has no better and worse.
    """
    config = _config_differences(a.task, b.task)
    budget, environment = _other_budget(a, b), _other_environment(config)
    allowed = [*(budget if across or any_budget else ()), *(environment if across else ())]
    refused = [text for text in (*budget, *environment) if text not in allowed]
    reasons = [*_not_comparable(a, b), *(f"{text} (`genelab compare --across` allows it)" for text in refused)]
    # No mean of the seeds that survived.
    whole = bool(a.evals and b.evals) and not (a.problems or b.problems)
    same_task = whole and a.evals[0].run.task == b.evals[0].run.task
    episodes, same_weights = _equal_episodes(a, b) if same_task else None, _same_weights(a, b)
    identical = not reasons and same_weights and episodes is not None and episodes.equal == episodes.compared
    if not identical:
        few = [name for name, side in (("A", a), ("B", b)) if len(side.evals) == 1]
        reasons += [f"{name}: has one seed, and a comparison of trainings needs two" for name in few]
    judged = not reasons and not identical
    metrics, notes = _metrics(a, b, cfg, judged=judged) if same_task else ([], [])
    row = next((metric for metric in metrics if metric.name == cfg.metric), None)
    if row is not None and row.better is None:
        raise InputError(f"--metric {cfg.metric}: is shown and not judged, since neither way is better")
    if same_task and row is None:
        reasons.append(_without_metric(a, b, cfg.metric))
    verdict: Verdict = "not_comparable"
    if not reasons:
        verdict = "identical" if identical else (row and row.verdict) or "not_comparable"
    if verdict == "improvement" and not config:
        notes.append("better without a change of configuration: look at code, packages and machines, or it is luck")
    if judged and same_weights:
        notes.append("the policies are the same, and their episodes are not: another machine, versions or environment")
    return CompareRecord(
        schema="genelab/compare/1",
        verdict=verdict,
        metric=cfg.metric,
        margin_share=cfg.margin,
        reasons=tuple(reasons),
        across=tuple(allowed),
        unreliable=tuple(_unreliable(a, b)) if judged else (),
        notes=tuple(notes),
        a=_side(a),
        b=_side(b),
        episodes=episodes,
        metrics=tuple(metrics),
        config=tuple(config),
        stamps=tuple(_listed(differences(_stamps(a), _stamps(b)))) if a.evals and b.evals else (),
    )


def config_differences(a: TaskSpec, b: TaskSpec) -> list[FieldDifference]:
    """Where two configurations differ. Of a chosen file its digest counts, and not where it lies."""
    places = [dict(choices(task)) for task in (a, b)]
    same_file = {
        f"{path}.value"
        for path, choice in places[0].items()
        if choice.sha256 is not None and path in places[1] and places[1][path].sha256 == choice.sha256
    }
    return [found for found in _listed(differences(dump(a), dump(b))) if found.path not in same_file]


def _listed(found: Iterable[tuple[str, Any, Any]]) -> Iterator[FieldDifference]:
    for path, a, b in found:
        yield FieldDifference(path=path, a=a, b=b)


def _config_differences(a: TaskSpec | None, b: TaskSpec | None) -> list[FieldDifference]:
    return config_differences(a, b) if a and b else []


def _not_comparable(a: Side, b: Side) -> Iterator[str]:
    """What forbids a comparison, whatever the numbers say."""
    for name, side in (("A", a), ("B", b)):
        yield from (f"{name}: {problem}" for problem in side.problems)
        if not side.evals and not side.problems:
            yield f"{name}: no seed has a result"
    if not a.evals or not b.evals:
        return
    old, new = a.evals[0], b.evals[0]
    for name in ("task", "task_version"):
        if (ours := getattr(old.run, name)) != (theirs := getattr(new.run, name)):
            yield f"other {name}: {ours} -> {theirs}"
    for path, ours, theirs in differences(dump(old.protocol), dump(new.protocol)):
        if path != "sha256":
            yield f"other protocol: {path}: {ours} -> {theirs}"


def _other_budget(a: Side, b: Side) -> list[str]:
    old, new = _env_steps(a), _env_steps(b)
    return [] if None in (old, new) or old == new else [f"other budget: {old} -> {new} environment steps"]


def _env_steps(side: Side) -> int | None:
    timing = side.evals[0].timing.train if side.evals else None
    return None if timing is None else timing.env_steps


def _other_environment(config: Sequence[FieldDifference]) -> list[str]:
    """Differences in what the policies are judged in: a return means another thing there."""
    return [f"other environment: {d.path}: {d.a} -> {d.b}" for d in config if is_judged_in(d.path)]


def is_judged_in(path: str) -> bool:
    """Whether a value, by its dotted path, belongs to what policies are judged in."""
    return path.startswith("env.") and not path.startswith(NOT_JUDGED_IN)


def _same_weights(a: Side, b: Side) -> bool:
    old, new = ({e.run.seed: e.checkpoint.weights_sha256 for e in side.evals} for side in (a, b))
    return old == new


def _equal_episodes(a: Side, b: Side) -> EqualEpisodes | None:
    old = {record.run.seed: record.episodes for record in a.evals}
    pairs = [(old[e.run.seed], e.episodes) for e in b.evals if e.run.seed in old]
    # What one side lacks is not equal.
    columns = [tuple(map(_columns, pair)) for pair in pairs]
    equal = sum(row == other for ours, theirs in columns for row, other in zip(ours, theirs, strict=False))
    compared = sum(max(len(ours), len(theirs)) for ours, theirs in columns)
    if not compared:
        return None
    returns = [(x, y) for ours, theirs in pairs for x, y in zip(ours.return_, theirs.return_, strict=False)]
    return EqualEpisodes(equal=equal, compared=compared, largest_difference=max(abs(x - y) for x, y in returns))


def _columns(episodes: Any) -> list[tuple[Any, ...]]:
    """Everything recorded of each episode."""
    columns = [episodes.return_, episodes.length, episodes.end, *episodes.measures.values()]
    optional = [c for c in (episodes.success, episodes.success_at_end) if c is not None]
    return list(zip(*columns, *optional, strict=True))


def _values(metrics: Metrics) -> dict[str, float]:
    """Every metric of an evaluation by name; what is null is left out."""
    found = {name: getattr(metrics, name) for name in OF_EVERY_TASK}
    return {name: value for name, value in found.items() if value is not None} | metrics.measures


def _values_of(side: Side, metric: str) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Every metric of each seed, and what doing nothing earns; of the learning curves only the metric asked for."""
    values = [_values(record.metrics) for record in side.evals]
    idle = [_values(record.baselines.idle.metrics) for record in side.evals]
    if metric in OF_CURVES:
        for seed, own, nothing in zip(side.seeds, values, idle, strict=False):
            if (found := getattr(curve_metrics(seed), metric)) is not None:
                own[metric] = found
                # A strength is above idle already.
                nothing[metric] = nothing["return_mean"] if metric == "final_average" else 0.0
    return values, idle


def _metrics(a: Side, b: Side, cfg: CompareCfg, *, judged: bool) -> tuple[list[ComparedMetric], list[str]]:
    """The metrics that both sides have, and notes on those that only one has."""
    (old, idle_old), (new, idle_new) = (_values_of(side, cfg.metric) for side in (a, b))
    everywhere = [*old, *new, *idle_old, *idle_new]
    names = list(dict.fromkeys(name for values in everywhere for name in values))
    complete = [name for name in names if all(name in values for values in everywhere)]
    units = {name: measure.unit for name, measure in a.task.env.measures.items()} if a.task else {}
    rows = [
        _metric(
            name,
            units.get(name),
            _side_values([v[name] for v in old], [v[name] for v in idle_old]),
            _side_values([v[name] for v in new], [v[name] for v in idle_new]),
            cfg.margin,
            judged=judged,
        )
        for name in complete
    ]
    if len(a.evals) == len(b.evals) == 1:
        rows = [_with_newcombe(row, a.evals[0], b.evals[0]) for row in rows]
    return rows, [f"{name}: not on both sides" for name in names if name not in complete]


def _side_values(values: Sequence[float], idle: Sequence[float]) -> SideValues:
    return SideValues(
        values=tuple(values), idle=tuple(idle), mean=mean(values), std=sample_std(values), ci95=seed_interval(values)
    )


def _metric(name: str, unit: str | None, a: SideValues, b: SideValues, share: float, *, judged: bool) -> ComparedMetric:
    margin = share * max(abs(side.mean - mean(side.idle)) for side in (a, b))
    better = _better(name)
    fields: dict[str, Any] = dict.fromkeys(("ci95", "ci_method", "verdict", "smallest_shown", "seeds_needed"))
    if judged:
        found = welch(a.values, b.values)
        difference, half = float(found.difference), float(found.half)
        fields |= {"ci95": (difference - half, difference + half), "ci_method": "welch"}
        if better is not None:
            sign = 1.0 if better == "higher" else -1.0
            fields["verdict"] = str(verdicts(found._replace(difference=sign * found.difference), margin))
        if fields["verdict"] == "undecided":
            needed = seeds_needed(a.values, b.values, margin)
            fields |= {"smallest_shown": max(half, margin), "seeds_needed": needed}
    return ComparedMetric(
        name=name, unit=unit, better=better, a=a, b=b, difference=b.mean - a.mean, margin=margin, **fields
    )


def _better(name: str) -> Literal["higher", "lower"] | None:
    if name.endswith(LOWER):
        return "lower"
    # Of any other measure nobody said which way is better.
    return "higher" if name in (*OF_EVERY_TASK, *OF_CURVES) else None


def _with_newcombe(row: ComparedMetric, a: EvalRecord, b: EvalRecord) -> ComparedMetric:
    """The interval of a rate over the episodes of two checkpoints."""
    if row.name not in RATES:
        return row
    column = row.name.removesuffix("_rate")
    old, new = (getattr(record.episodes, column) for record in (a, b))
    interval = newcombe((sum(old), len(old)), (sum(new), len(new)))
    return row.replace(ci95=interval, ci_method="newcombe")


def _without_metric(a: Side, b: Side, metric: str) -> str:
    known = [{name for values in _values_of(side, metric)[0] for name in values} for side in (a, b)]
    if metric not in known[0] | known[1]:
        raise InputError(f"--metric {metric}: no side has it; they have {', '.join(sorted(known[0] | known[1]))}")
    return f"{metric}: not on both sides"


def _unreliable(a: Side, b: Side) -> Iterator[str]:
    if all(record.above_idle.passed for record in a.evals):
        for record in b.evals:
            if not record.above_idle.passed:
                yield f"seed {record.run.seed} of B is not clearly above doing nothing, where every seed of A is"


def _side(side: Side) -> ComparedSide:
    first = side.evals[0] if side.evals else None
    return ComparedSide(
        given=side.given,
        kind=side.kind,
        task=first and first.run.task,
        task_version=first and first.run.task_version,
        variant=first and first.run.variant,
        config_sha256=first and first.config.sha256,
        seeds=tuple(record.run.seed for record in side.evals),
        env_steps=_env_steps(side),
    )


def _stamps(side: Side) -> dict[str, Any]:
    """Code, packages, machines and flags of every process behind a side; several values of one are joined."""
    found: dict[str, Any] = {}
    for process in (*(seed.train for seed in side.seeds), *side.evals):
        code = {
            c.name: f"{c.version} {(c.commit or 'no commit')[:12]}{' changed' * bool(c.dirty)}" for c in process.code
        }
        _join(found, {"code": code, "packages": process.packages})
        hardware = process.hardware
        machine = f"{hardware.gpu.name if hardware.gpu else hardware.cpu.model} {hardware.machine_hash}"
        _join(found, {"machine": machine, "backend": _plain(process.backend)})
    return found


def _plain(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json")


def _join(found: dict[str, Any], told: dict[str, Any]) -> None:
    for key, value in told.items():
        if isinstance(value, dict):
            _join(found.setdefault(key, {}), value)
        elif str(value) not in (known := found.get(key, [])):
            found[key] = sorted([*known, str(value)])
