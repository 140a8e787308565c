"""sweep.json and the run.json files of a launch, as the launcher keeps them."""

import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from genelab.records.files import read_record
from genelab.records.sweep import SeedEntry, SweepRecord
from genelab.runs.files import remove_temporaries, write_record
from genelab.runs.run_dir import RunDir
from genelab.sweep.plan import SeedPlan, SweepPlan

SHARE = 20
"""A write of sweep.json is followed by so many times its own duration without one. It holds every seed, and each seed
changes several times: writing every change would cost the square of their number."""


class Book:
    """The records of one launch. The caller holds the lock of the sweep."""

    def __init__(self, plan: SweepPlan, argv: tuple[str, ...]) -> None:
        """Write sweep.json and every active seed's run.json.

        Raises:
            InputError: if a process of an earlier launch still holds a seed. Nothing is written then.
            RunError: if the disk is full.
        """
        self._plan = plan
        active = [seed for seed in plan.seeds if seed.action != "skip"]
        # One after the other: a process may not have a file open for each of thousands of seeds.
        for seed in active:
            with self._held(seed):
                pass
        remove_temporaries(plan.log_dir)
        self._record = self._opening_record(argv)
        self.entries = {entry.seed: entry for entry in self._record.seeds}
        """Where each planned seed stands."""
        self._changed, self._next_save = True, 0.0
        self.save()
        for seed in active:
            with self._held(seed):
                remove_temporaries(seed.path, seed.run_dir.params)
                self._open_run(seed, argv)

    def change(self, seed: int, **changes: Any) -> SeedEntry:
        """Change fields of a seed's entry and return it. `save` writes it."""
        self.entries[seed] = self.entries[seed].replace(**changes)
        self._changed = True
        return self.entries[seed]

    def save(self, *, now: bool = True) -> None:
        """Rewrite sweep.json if anything changed; if not `now`, then only if that was not done just before."""
        begin = time.monotonic()
        if not self._changed or (not now and begin < self._next_save):
            return
        self._record = self._record.replace(seeds=tuple(self.entries.values()), updated_at=datetime.now(UTC))
        write_record(self._plan.sweep_file, self._record)
        self._changed, end = False, time.monotonic()
        self._next_save = end + SHARE * (end - begin)

    def _held(self, seed: SeedPlan) -> AbstractContextManager[None]:
        """The lock of a seed's directory, if there is one."""
        return seed.run_dir.lock() if seed.path.is_dir() else nullcontext()

    def _opening_record(self, argv: tuple[str, ...]) -> SweepRecord:
        plan, now = self._plan, datetime.now(UTC)
        earlier = read_record(plan.sweep_file, SweepRecord) if plan.sweep_file.exists() else None
        entries = {entry.seed: _at_rest(entry) for entry in earlier.seeds} if earlier else {}
        for seed in plan.seeds:
            entry = entries.get(seed.seed, SeedEntry(seed=seed.seed))
            entries[seed.seed] = entry.replace(state=_opening_state(seed), reason=None)
        return SweepRecord(
            schema="genelab/sweep/2",
            task=plan.task.id,
            task_version=plan.task.task_version,
            config_sha256=plan.config_sha256,
            execution=plan.execution,
            command=argv,
            seeds=tuple(entries.get(seed, SeedEntry(seed=seed)) for seed in plan.planned),
            created_at=earlier.created_at if earlier else now,
            updated_at=now,
        )

    def _open_run(self, seed: SeedPlan, argv: tuple[str, ...]) -> None:
        plan = self._plan
        if seed.run_dir.exists():
            seed.run_dir.relaunch(
                task=plan.task,
                seeds_planned=plan.planned,
                command=argv,
                overrides=plan.overrides,
                execution=plan.execution,
            )
            return
        RunDir.create(
            seed.path,
            plan.task,
            seed=seed.seed,
            seeds_planned=plan.planned,
            command=argv,
            overrides=plan.overrides,
            execution=plan.execution,
            parent=plan.parent,
        )


def _at_rest(entry: SeedEntry) -> SeedEntry:
    """What an earlier launch left; it runs no more, whatever it could not write down."""
    if entry.state not in ("training", "evaluating"):
        return entry
    return entry.replace(state="interrupted", reason=f"its launch ended while {entry.state}")


def _opening_state(seed: SeedPlan) -> str:
    if seed.action != "skip":
        return "planned"
    # sweep.json may be behind: a launcher that was killed did not see its last seed finish.
    return "finished" if seed.run_dir.load().status == "finished" else "trained"
