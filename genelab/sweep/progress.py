"""How far a seed is: the newest row of its learning curve, and what its evaluation found."""

from pathlib import Path
from typing import Any

from genelab.config.task import TaskSpec
from genelab.records.base import Record
from genelab.records.eval import EvalRecord
from genelab.records.files import parse_json
from genelab.runs.files import read_record

_TAIL_BYTES = 16384


class Progress(Record):
    """The newest row of a learning curve."""

    iterations: int
    """Learning iterations done."""
    episode_return: float | None
    """Mean return of the last finished training episodes; null before the first."""
    steps_per_s: float
    """Control steps per second over all environments."""

    def eta_s(self, task: TaskSpec) -> float:
        """Seconds of training left at this speed."""
        steps = task.env.num_envs * task.agent.num_steps_per_env
        return max(0, task.budget.iterations - self.iterations) * steps / self.steps_per_s


def read_progress(curve: Path) -> Progress | None:
    """Progress as of the last whole line of curve.jsonl; None before the first."""
    if not curve.is_file():
        return None
    with curve.open("rb") as file:
        file.seek(max(0, curve.stat().st_size - _TAIL_BYTES))
        # The part behind the last line end may be half a row.
        lines = file.read().split(b"\n")[:-1]
    if not lines:
        return None
    row: dict[str, Any] = parse_json(lines[-1])
    return Progress(
        iterations=row["iteration"] + 1, episode_return=row["episode_return"], steps_per_s=row["steps_per_s"]
    )


def describe_evaluation(eval_file: Path) -> str:
    """One line on a seed's record: return beside what doing nothing earns."""
    record = read_record(eval_file, EvalRecord)
    metrics, idle = record.metrics, record.baselines.idle.metrics
    verdict = "" if record.above_idle.passed else "  ** not clearly above idle **"
    success = "" if metrics.success_rate is None else f", success {metrics.success_rate:.0%}"
    return (
        f"return {metrics.return_mean:.3f} ± {metrics.return_std:.3f}, length {metrics.length_mean:.1f}{success}, "
        f"idle {idle.return_mean:.3f}{verdict}"
    )
