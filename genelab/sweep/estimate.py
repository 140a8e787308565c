"""How long a training will take, from what a published entry of the task took."""

from pathlib import Path

from genelab.config.task import TaskSpec
from genelab.errors import FileError
from genelab.records import names
from genelab.records.entry import EntryRecord
from genelab.records.files import read_record
from genelab.records.seed_files import read_task
from genelab.records.statistics import mean
from genelab.sweep.pace import read_progress, schedule
from genelab.sweep.plan import SeedPlan, SweepPlan


def estimate(plan: SweepPlan, store: Path, *, done: int = 0) -> str:
    """One line on the wall-clock of the training, by the newest entry of the same task, variant and simulators.

    `done`: iterations with which a new seed begins.
    """
    if not plan.trains:
        return "nothing is left to train"
    try:
        found = _newest(plan, store)
    except FileError as error:
        return f"none: {error}"
    if found is None:
        return f"none: '{store}' has no published entry of this task, variant and simulator"
    record, share = found
    whole_s = share * mean([run.train_wall_s for run in record.runs])
    steps = plan.task.env_steps(plan.task.all_iterations)
    begun = [_done(seed, plan.task, done) for seed in plan.seeds if seed.action in ("train", "resume", "retry")]
    new = [whole_s * (1.0 - plan.task.env_steps(iterations) / steps) for iterations in begun]
    machine = record.machines[0]
    on = machine.gpu.name if machine.gpu else f"{machine.cpu.model}, {machine.cpu.usable_cores} cores"
    return (
        f"{_hours(max(new))} a seed, {_hours(schedule([], new, plan.cfg.parallel))} in all, without evaluations; "
        f"as entry {record.entry_id} took on {on}{'' if share == 1.0 else ', scaled to this budget'}"
    )


def _newest(plan: SweepPlan, store: Path) -> tuple[EntryRecord, float] | None:
    """The entry, and the budget of the plan as a share of its own."""
    paths = store.glob(f"{plan.task.id}/[!.]*/{names.ENTRY}")
    records = [(read_record(path, EntryRecord), path.parent) for path in paths]
    for record, folder in sorted(records, key=lambda each: each[0].created_at, reverse=True):
        if record.variant != plan.task.variant or not record.runs:
            continue
        trained = read_task(folder / f"seed_{record.runs[0].seed}" / names.PARAMS)
        engines = [[stage.env.engine for _, stage in task.line()] for task in (trained, plan.task)]
        if engines[0] == engines[1]:
            budgets = [task.env_steps(task.all_iterations) for task in (plan.task, trained)]
            return record, budgets[0] / budgets[1]
    return None


def _done(seed: SeedPlan, task: TaskSpec, new: int) -> int:
    """Iterations that a seed has behind it when it begins or goes on."""
    progress = read_progress(seed.run_dir.curve, task)
    return progress.done if progress else new


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(round(seconds / 60), 1)} min"
