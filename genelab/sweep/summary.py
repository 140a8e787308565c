"""What a sweep says when it ends: what it earned, where it lies, and what to do next."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from genelab.records.derived import unproven
from genelab.records.eval import EvalRecord, Metrics
from genelab.records.files import read_record
from genelab.records.statistics import mean, seed_interval
from genelab.records.sweep import SeedEntry
from genelab.runs.run_dir import RunDir
from genelab.show.text import number
from genelab.sweep.plan import SweepPlan, seed_dir


def describe_evaluation(eval_file: Path) -> str:
    """One line on a seed's record: return beside what doing nothing earns."""
    record = read_record(eval_file, EvalRecord)
    metrics, idle = record.metrics, record.baselines.idle.metrics
    verdict = "".join(f"  ** {text} **" for text in unproven(record))
    return (
        f"return {metrics.return_mean:.3f} ± {metrics.return_std:.3f}, length {metrics.length_mean:.1f}"
        f"{_success(metrics)}, idle {idle.return_mean:.3f}{_success(idle)}{verdict}"
    )


def closing_lines(plan: SweepPlan, entries: Sequence[SeedEntry]) -> list[str]:
    """Directory, return over the finished seeds, verdict, and the next commands.

    Raises:
        InputError: if a record cannot be read.
    """
    lines = [f"directory  {plan.log_dir}"]
    run_dirs = {entry.seed: RunDir(seed_dir(plan.log_dir, entry.seed)) for entry in entries}
    finished = [run_dirs[entry.seed] for entry in entries if entry.state == "finished"]
    trained = [run_dirs[entry.seed] for entry in entries if entry.state in ("finished", "trained")]
    results = [_result(run_dir) for run_dir in finished]
    if results:
        lines += [f"return     {_over_seeds(results)}", *(f"verdict    {line}" for line in _verdicts(results))]
    lines += [
        f"log        {run_dirs[entry.seed].train_log}" for entry in entries if entry.state in ("failed", "crashed")
    ]
    if len(trained) < len(entries):
        lines.append("The same command goes on with what is not done.")
    if trained:
        checkpoint = trained[0].final_checkpoint
        lines += [
            "next:",
            f"  genelab video {_path(checkpoint)} --out {trained[0].path.name}.mp4",
            *([f"  tensorboard --logdir {_path(plan.log_dir)}"] if "tensorboard" in plan.execution.log else []),
            f"  genelab check {_path(plan.log_dir)}",
        ]
    return lines


class _Result(NamedTuple):
    """What a summary needs of a seed's evaluation, so that not all of them are held."""

    return_mean: float
    idle: float
    flags: list[str]


def _result(run_dir: RunDir) -> _Result:
    record = read_record(run_dir.eval_file, EvalRecord)
    idle = record.baselines.idle.metrics.return_mean
    return _Result(record.metrics.return_mean, idle, unproven(record))


def _over_seeds(results: Sequence[_Result]) -> str:
    returns = [result.return_mean for result in results]
    idle = mean([result.idle for result in results])
    interval = seed_interval(returns)
    spread = "one seed, so no interval"
    if interval is not None:
        spread = f"95 % interval {number(interval[0])} to {number(interval[1])} over {len(results)} seeds"
    return f"{number(mean(returns))} ({spread}), idle {number(idle)}"


def _verdicts(results: Sequence[_Result]) -> list[str]:
    """What the records prove, and for how many seeds not."""
    found = [result.flags for result in results]
    flags = dict.fromkeys(flag for flags in found for flag in flags)
    if not flags:
        return [f"clearly above the idle baseline on {'every seed' if len(results) > 1 else 'this seed'}"]
    return [f"{sum(flag in flags for flags in found)} of {len(results)} seed(s): {flag}" for flag in flags]


def _success(metrics: Metrics) -> str:
    if metrics.success_rate is None:
        return ""
    at_end = metrics.success_at_end_rate
    return f", success {metrics.success_rate:.1%}" + ("" if at_end is None else f" (at the end {at_end:.1%})")


def _path(path: Path) -> str:
    return shlex.quote(str(path))
