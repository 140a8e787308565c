"""How far a seed is: the newest row of its learning curve, and what its evaluation found."""

from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, NonNegativeInt, PositiveFloat, ValidationError

from genelab.config.task import TaskSpec
from genelab.records.derived import no_better_than_idle, success_above_idle
from genelab.records.eval import EvalRecord, Metrics
from genelab.runs.files import read_record

_TAIL_BYTES = 16384


class Progress(BaseModel):
    """What a row of a learning curve says about progress. For the eye: `genelab check` judges the file."""

    iteration: NonNegativeInt
    """Number of the iteration, from 0."""
    episode_return: float | None
    """Mean return of the last finished training episodes; null before the first."""
    steps_per_s: PositiveFloat
    """Control steps per second over all environments."""

    def eta_s(self, task: TaskSpec) -> float:
        """Seconds of training left at this speed."""
        steps = task.env.num_envs * task.agent.num_steps_per_env
        return max(0, task.budget.iterations - self.iteration - 1) * steps / self.steps_per_s


def read_progress(curve: Path) -> Progress | None:
    """Progress as of the last line of curve.jsonl that is a whole row; None if there is none near its end."""
    if not curve.is_file():
        return None
    with curve.open("rb") as file:
        file.seek(max(0, curve.stat().st_size - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        # The last line may be half a row, being written right now.
        with suppress(ValidationError):
            return Progress.model_validate_json(line)
    return None


def describe_evaluation(eval_file: Path) -> str:
    """One line on a seed's record: return beside what doing nothing earns."""
    record = read_record(eval_file, EvalRecord)
    metrics, idle = record.metrics, record.baselines.idle.metrics
    verdict = "" if record.above_idle.passed else "  ** not clearly above idle **"
    if success_above_idle(record.episodes, record.baselines.idle.episodes) is False:
        verdict += "  ** success not clearly above idle's **"
    if worse := no_better_than_idle(record.episodes, record.baselines.idle.episodes):
        verdict += f"  ** {' and '.join(worse)} not clearly below idle's **"
    return (
        f"return {metrics.return_mean:.3f} ± {metrics.return_std:.3f}, length {metrics.length_mean:.1f}"
        f"{_success(metrics)}, idle {idle.return_mean:.3f}{_success(idle)}{verdict}"
    )


def _success(metrics: Metrics) -> str:
    if metrics.success_rate is None:
        return ""
    at_end = metrics.success_at_end_rate
    return f", success {metrics.success_rate:.1%}" + ("" if at_end is None else f" (at the end {at_end:.1%})")
