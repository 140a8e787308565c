"""The directory of one seed: where everything is, and the life of run.json."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genelab.config.choices import chosen_files, found_again
from genelab.config.overrides import Override
from genelab.config.run import ExecutionCfg
from genelab.config.snapshot import config_sha256, differences, dump_task
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records import names
from genelab.records.files import read_json, read_record
from genelab.records.run import AttemptEnd, ExecutionRecord, Failure, ParentRef, RunRecord
from genelab.records.seed_files import read_task
from genelab.records.stamps import other_sums
from genelab.runs.files import disk_errors, remove_temporaries, write_atomic, write_json, write_record
from genelab.runs.lock import locked
from genelab.runs.stamps import A_PATH, SUM_FLAGS, Stamps

KEPT_BYTES = 4 * 2**20
"""Largest chosen file of which a run keeps a copy. A motion clip is smaller, a set of demonstrations larger."""


class RunDir:
    """Paths and records of one seed. Its worker writes under `lock()`; the sweep writes while no worker runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_file = path / names.RUN
        self.params = path / names.PARAMS
        self.train_log = path / "train.log"
        self.curve = path / names.CURVE
        self.resume = path / "resume"
        self.eval_file = path / names.EVAL
        self.probe_file = path / names.PROBE
        self.policy_file = path / names.POLICY
        self.films = path / names.FILMS
        self.sim2sim_file = path / names.SIM2SIM
        self.round_trip_file = path / names.ROUND_TRIP

    @property
    def trainer(self) -> str:
        """Library that trains the run, from its snapshot. Raises InputError if that is missing or broken."""
        path = self.params / "agent.json"
        agent: Any = read_json(path)
        trainer = agent.get("trainer") if isinstance(agent, dict) else None
        if not isinstance(trainer, str) or trainer not in names.FINAL_CHECKPOINT:
            raise InputError(f"'{path}' names no trainer; known: {', '.join(names.FINAL_CHECKPOINT)}")
        return trainer

    @property
    def final_checkpoint(self) -> Path:
        """Path of the policy at the end of the budget. Raises InputError as `trainer`."""
        return self.path / names.FINAL_CHECKPOINT[self.trainer]

    def checkpoint(self, iteration: int) -> Path:
        """Path of the policy saved after iteration number `iteration`. Raises InputError as `trainer`."""
        return self.path / names.CHECKPOINT[self.trainer].format(iteration)

    def stage_checkpoint(self, name: str) -> Path:
        """Path of the policy at the end of a stage before the last one."""
        return self.path / names.STAGE_CHECKPOINT.format(name)

    def resume_state(self, stage: str | None) -> Path:
        """Path of the newest training state of a stage; None for the last one."""
        return self.resume / f"{f'stage_{stage}' if stage else 'state'}.safetensors"

    def lock(self) -> AbstractContextManager[None]:
        """Hold the directory for this process. Raises InputError if another one has it."""
        return locked(self.path)

    def exists(self) -> bool:
        """Whether a run was created here."""
        return self.record_file.is_file()

    @classmethod
    def create(
        cls,
        path: Path,
        task: TaskSpec,
        *,
        seed: int,
        seeds_planned: Sequence[int],
        command: Sequence[str],
        overrides: Sequence[Override],
        execution: ExecutionCfg,
        parent: ParentRef | None = None,
    ) -> "RunDir":
        """Write the snapshot, then run.json: a directory with a run.json is complete.

        Raises:
            InputError: if a run is here already, or the directory cannot be written.
            RunError: if the disk is full.
        """
        run_dir = cls(path)
        if run_dir.exists():
            raise InputError(f"'{path}' holds a run already")
        with disk_errors(run_dir.params):
            run_dir.params.mkdir(parents=True, exist_ok=True)
        for part, data in dump_task(task).items():
            write_json(run_dir.params / f"{part}.json", data)
        run_dir.keep_files(task)
        record = RunRecord(
            schema="genelab/run/2",
            task=task.id,
            task_version=task.task_version,
            seed=seed,
            seeds_planned=tuple(seeds_planned),
            config_sha256=config_sha256(task),
            command=tuple(command),
            overrides=tuple(overrides),
            execution=ExecutionRecord(requested=execution),
            parent=parent,
            launched_at=datetime.now(UTC),
        )
        run_dir.save(record)
        return run_dir

    def load(self) -> RunRecord:
        """Read run.json. Raises InputError if it is missing or broken."""
        return read_record(self.record_file, RunRecord)

    def save(self, record: RunRecord) -> None:
        """Write run.json atomically."""
        write_record(self.record_file, record)

    def update(self, **changes: Any) -> RunRecord:
        """Change fields of run.json and return the new record."""
        record = self.load().replace(**changes)
        self.save(record)
        return record

    def keep_files(self, task: TaskSpec) -> None:
        """Copy chosen files of a few MB beside the seeds, so that a moved run can be evaluated."""
        for name, source in chosen_files(task).items():
            copy = self.path.parent / names.FILES / name
            if source.stat().st_size <= KEPT_BYTES and not copy.exists():
                with disk_errors(copy):
                    copy.parent.mkdir(exist_ok=True)
                    write_atomic(copy, source.read_bytes())

    def task(self) -> TaskSpec:
        """The task as this run was launched: its snapshot, verified against the hash in run.json.

        Its chosen files are those beside the seeds, or lie where they were, or where their variable says.

        Raises:
            InputError: if a file is missing or broken, or the hash differs.
        """
        expected, task = self.load().config_sha256, read_task(self.params)
        if (found := config_sha256(task)) != expected:
            raise InputError(
                f"'{self.params}' was changed after the launch: its hash is {found}, run.json has {expected}"
            )
        return found_again(task, self.path.parent / names.FILES)

    def relaunch(
        self,
        *,
        task: TaskSpec,
        seeds_planned: Sequence[int],
        command: Sequence[str],
        overrides: Sequence[Override],
        execution: ExecutionCfg,
    ) -> RunRecord:
        """Forget a past failure or interruption, so that what the next process reports is its own.

        What is not trained yet takes chosen files from where they lie now.

        Args:
            task: of the same digest as the run's.
            seeds_planned: every seed of the sweep.
            command: of this launch.
            overrides: of this launch.
            execution: of this launch.
        """
        record = self.load()
        if record.checkpoint is None:
            record = self._take_places(record, task, overrides)
        return self.update(
            status="planned" if record.checkpoint is None else "trained",
            failure=None,
            loggers_failed={},
            seeds_planned=tuple(seeds_planned),
            command=tuple(command),
            execution=_relaunched(record, execution),
        )

    def _take_places(self, record: RunRecord, task: TaskSpec, overrides: Sequence[Override]) -> RunRecord:
        old = read_task(self.params)
        if old == task or config_sha256(task) != record.config_sha256:
            return record
        before = dump_task(old)
        for part, data in dump_task(task).items():
            if data != before[part]:
                write_json(self.params / f"{part}.json", data)
        return self.update(overrides=tuple(overrides))

    def begin_attempt(self, *, from_iteration: int, device: str, stamps: Stamps) -> RunRecord:
        """Start training on resolved `device` after `from_iteration` iterations; clean up behind a killed attempt.

        Raises:
            InputError: if a resume would continue a stage on another device, processor or backend, or with other
                package versions.
        """
        record = self.load()
        begun = record.stages[-1].checkpoint.iteration if record.stages else 0
        # A stage begins anew, maybe in another simulator: only its own sums must stay what they were.
        if from_iteration > begun:
            _require_same(record, self.trainer, device, stamps)
        remove_temporaries(self.path, self.params, self.resume)
        attempts = [a.replace(end="killed") if a.end == "running" else a for a in record.attempts]
        attempts.append(stamps.attempt(from_iteration))
        known = record.code or ()
        return self.update(
            status="training",
            failure=None,
            execution=record.execution.replace(resolved_device=device),
            code=known + tuple(code for code in stamps.code if code not in known),
            packages=stamps.packages,
            hardware=stamps.hardware,
            backend=stamps.backend,
            attempts=tuple(attempts),
        )

    def note_progress(self, *, to_iteration: int, wall_s: float, **changes: Any) -> RunRecord:
        """Record how far the running attempt is saved, so that a kill leaves its cost known, with other changes."""
        return self._update_attempt({"to_iteration": to_iteration, "wall_s": wall_s}, changes)

    def end_attempt(self, end: AttemptEnd, *, to_iteration: int, wall_s: float, **changes: Any) -> RunRecord:
        """Close the running attempt; `changes` (status, checkpoint, timing, failure) go into the same write."""
        closing = {"end": end, "ended_at": datetime.now(UTC), "to_iteration": to_iteration, "wall_s": wall_s}
        return self._update_attempt(closing, changes)

    def mark_dead(self, end: AttemptEnd, failure: Failure | None) -> RunRecord:
        """Record that the process died without a word; without a failure, that it was meant to.

        A run that had reached a resting state keeps it.
        """
        record = self.load()
        if record.status not in ("planned", "training", "evaluating"):
            return record
        now = datetime.now(UTC)
        attempts = [a.replace(end=end, ended_at=now) if a.end == "running" else a for a in record.attempts]
        status = "failed" if failure else "interrupted"
        return self.update(status=status, failure=failure, attempts=tuple(attempts))

    def _update_attempt(self, closing: dict[str, Any], changes: dict[str, Any]) -> RunRecord:
        *past, last = self.load().attempts
        if last.end != "running":
            raise ValueError(f"the last attempt of '{self.path}' is not running but {last.end}")
        return self.update(attempts=(*past, last.replace(**closing)), **changes)


def _relaunched(record: RunRecord, asked: ExecutionCfg) -> ExecutionRecord:
    """A started seed keeps its device and threads. What is done about a fault, and what is logged where, may change."""
    if not record.attempts:
        return ExecutionRecord(requested=asked)
    free = {name: getattr(asked, name) for name in ("nan_policy", "max_env_resets", "log", "video_every")}
    return record.execution.replace(requested=record.execution.requested.model_copy(update=free))


def _require_same(record: RunRecord, trainer: str, device: str, stamps: Stamps) -> None:
    changed = list(other_sums(record, stamps, trainer))
    before, now = _sum_flags(record.backend.env if record.backend else {}), _sum_flags(stamps.backend.env)
    changed += [f"backend.env.{name}: {old} -> {new}" for name, old, new in differences(before, now)]
    if record.execution.resolved_device != device:
        changed.append(f"device: {record.execution.resolved_device} -> {device}")
    if changed:
        raise InputError(
            f"seed {record.seed} cannot resume, since its sums would change: {'; '.join(changed)}. "
            "Go back, or delete its directory to start afresh"
        )


def _sum_flags(env: dict[str, str]) -> dict[str, str]:
    # What names a place, as of a cache, is no setting.
    return {name: value for name, value in env.items() if name.startswith(SUM_FLAGS) and value != A_PATH}
