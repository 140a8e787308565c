"""Where the rows of a learning curve go beside curve.jsonl: TensorBoard, Weights & Biases, Trackio.

Each logger opens the run of its seed anew in every process: an attempt of a training, a stage, the evaluation.
"""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from genelab.config.run import LoggerName
from genelab.config.snapshot import one_line, sha256_json
from genelab.errors import GenelabError, InputError
from genelab.records.eval import EvalRecord
from genelab.runs.curve import Row
from genelab.runs.files import disk_errors
from genelab.runs.run_dir import RunDir

PROJECT = "genelab"
"""Project of the runs, unless WANDB_PROJECT or TRACKIO_PROJECT names another."""
TAGS = {
    "episode_return": "Train/mean_reward",
    "episode_length": "Train/mean_episode_length",
    "learning_rate": "Loss/learning_rate",
    "action_std": "Policy/mean_std",
    "steps_per_s": "Perf/total_fps",
    "collect_s": "Perf/collection_time",
    "update_s": "Perf/learning_time",
    "sample_s": "Perf/sample_time",
    "wall_s": "Perf/wall_time",
    "env_steps": "Perf/env_steps",
}
"""Tags of columns: rsl_rl's own, and others after its manner. Every other column stands under Train/."""
STEPS = TAGS["env_steps"]
OVER_STEPS = (TAGS["episode_return"], TAGS["episode_length"])
"""Tags that TensorBoard gets over environment steps too."""
GROUPS = {"loss": "Loss", "reward": "Episode_Reward", "termination": "Episode_Termination"}
"""First part of the tag of a column that has a group, as rsl_rl and the environments that it is used with write it."""


class RunFacts(NamedTuple):
    """What a logger is told of the run of a seed."""

    path: Path
    """Its directory."""
    id: str
    """The same in every process of the run, and in no other run."""
    name: str
    """For people; holds the id."""
    group: str
    """The sweep."""
    settings: dict[str, Any]
    """Settings worth comparing, by dotted path."""


class Logger(Protocol):
    """What a logger offers. Whatever it raises, the training goes on without it, unless that is a GenelabError."""

    def log(self, values: Mapping[str, float | int], iteration: int) -> None:
        """Take the values of an iteration, from 0, by tag."""
        ...

    def results(self, values: Mapping[str, float], iteration: int) -> None:
        """Take the results of the evaluation, by tag, after so many iterations."""
        ...

    def flush(self) -> None:
        """Put everything on disk, where that is not its own affair."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


class Loggers:
    """The loggers of a seed in one process. One that fails is left alone, and run.json and the log say so, once."""

    def __init__(self, run_dir: RunDir, kept: Sequence[Row] | None = None) -> None:
        """Open those that the run asks for.

        Args:
            run_dir: of the seed.
            kept: of a training, the rows of the curve so far, after which it goes on.

        Raises:
            RunError: if the disk is full.
        """
        self._run_dir = run_dir
        self._open: dict[LoggerName, Logger] = {}
        record, facts = run_dir.load(), facts_of(run_dir)
        for name in record.execution.requested.log:

            def opened(name: LoggerName = name) -> None:
                self._open[name] = MAKERS[name](facts, kept)

            self._try(name, opened)

    def log(self, row: Row) -> None:
        """Hand a row of the curve to all. Raises RunError if the disk is full."""
        iteration, values = row["iteration"], tagged(row)
        assert isinstance(iteration, int)
        self._each(lambda logger: logger.log(values, iteration))

    def results(self, record: EvalRecord) -> None:
        """Hand what an evaluation found to all. Raises RunError if the disk is full."""
        self._each(lambda logger: logger.results(results_of(record), record.checkpoint.iteration))

    def flush(self) -> None:
        """Put everything on disk, as far as that can be asked. Raises RunError if the disk is full."""
        self._each(lambda logger: logger.flush())

    def close(self) -> None:
        """Write what is left. Raises RunError if the disk is full."""
        self._each(lambda logger: logger.close())

    def _each(self, call: Callable[[Logger], None]) -> None:
        for name, logger in [*self._open.items()]:
            self._try(name, partial(call, logger))

    def _try(self, name: LoggerName, call: Callable[[], None]) -> None:
        try:
            call()
        except GenelabError:
            raise
        except Exception as error:  # noqa: BLE001 a library of another's: told in the log and in run.json
            told = one_line(f"{type(error).__name__}: {error}", 300)
            print(f"warning: --log {name} failed, and gets nothing more from this process: {told}", flush=True)
            self._run_dir.update(loggers_failed={**self._run_dir.load().loggers_failed, name: told})
            self._open.pop(name, None)


def require_installed(names: Sequence[LoggerName]) -> None:
    """Check that the packages of loggers are there. Raises InputError for the first that is not."""
    for name in names:
        try:
            version(name)
        except PackageNotFoundError as error:
            raise InputError(f"--log {name}: {name} is not installed; pip install 'genelab[{name}]'") from error


def facts_of(run_dir: RunDir) -> RunFacts:
    """What loggers are told of a run."""
    record, task = run_dir.load(), run_dir.task()
    sweep = run_dir.path.resolve().parent.name
    own = sha256_json([record.config_sha256, record.seed, record.launched_at.isoformat()])[:8]
    settings: dict[str, Any] = {override.path: str(override.new) for override in record.overrides}
    settings |= {"task": task.id, "variant": task.variant or "", "seed": record.seed}
    for part, cfg in (("train", task.train), ("agent", task.agent)):
        settings |= {f"{part}.{name}": value for name, value in cfg if isinstance(value, int | float | str)}
    return RunFacts(run_dir.path, own, f"{sweep}-seed_{record.seed}-{own}", sweep, settings)


def tag(column: str) -> str:
    """The tag of a column of the curve."""
    group, slash, name = column.partition("/")
    return f"{GROUPS.get(group, group)}/{name}" if slash else TAGS.get(column, f"Train/{column}")


def tagged(row: Row) -> dict[str, float | int]:
    """The values of a row by tag, without what is unknown."""
    return {tag(column): value for column, value in row.items() if column != "iteration" and value is not None}


def results_of(record: EvalRecord) -> dict[str, float]:
    """What an evaluation found, by tag."""
    found: dict[str, float | None] = {
        "return_mean": record.metrics.return_mean,
        "return_std": record.metrics.return_std,
        "length_mean": record.metrics.length_mean,
        "success_rate": record.metrics.success_rate,
        "success_at_end_rate": record.metrics.success_at_end_rate,
        "idle_return_mean": record.baselines.idle.metrics.return_mean,
        "random_return_mean": record.baselines.random.metrics.return_mean,
        "above_idle": float(record.above_idle.passed),
    }
    found |= record.metrics.measures
    return {f"Eval/{name}": value for name, value in found.items() if value is not None}


class TensorBoard:
    """Events beside the curve: over iterations, and return and length over environment steps as well."""

    def __init__(self, facts: RunFacts, kept: Sequence[Row] | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._settings = facts.settings
        # Its full name holds the time and the machine.
        self._path = facts.path / "events.out.tfevents"
        start = None if kept is None else len(kept)
        with disk_errors(self._path):
            # Told from the first iteration on too: an attempt that was killed before its first save has logged some.
            self._events: Any = SummaryWriter(str(facts.path), purge_step=start)
            # TensorBoard forgets the same numbers on the axis of environment steps.
            for values in map(tagged, kept or ()):
                if values.get(STEPS, 0) >= len(kept or ()):
                    self._add_over_steps(values)

    def log(self, values: Mapping[str, float | int], iteration: int) -> None:
        """Its thread writes later, and what went wrong there comes up at a later call."""
        with disk_errors(self._path):
            for name, value in values.items():
                self._events.add_scalar(name, value, iteration)
            self._add_over_steps(values)

    def _add_over_steps(self, values: Mapping[str, float | int]) -> None:
        # As rsl_rl does over time.
        for name in OVER_STEPS:
            if name in values and STEPS in values:
                self._events.add_scalar(f"{name}/env_steps", values[name], values[STEPS])

    def results(self, values: Mapping[str, float], iteration: int) -> None:
        """Beside the curve, and in the table of hyperparameters."""
        from torch.utils.tensorboard.summary import hparams

        self.log(values, iteration)
        with disk_errors(self._path):
            for summary in hparams(self._settings, dict(values)):
                self._events.file_writer.add_summary(summary)

    def flush(self) -> None:
        """Put everything on disk."""
        with disk_errors(self._path):
            self._events.flush()

    def close(self) -> None:
        """Put everything on disk."""
        with disk_errors(self._path):
            self._events.close()


class Wandb:
    """A run of Weights & Biases, offline unless WANDB_MODE says otherwise. Its files lie in the run directory."""

    def __init__(self, facts: RunFacts, kept: Sequence[Row] | None) -> None:
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        if mode != "online":
            # It would report its own errors to its makers.
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        wandb: Any = importlib.import_module("wandb")
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=facts.id,
            name=facts.name,
            group=facts.group,
            dir=str(facts.path),
            config=facts.settings,
            resume="allow" if mode == "online" else None,
            mode=mode,
            settings=wandb.Settings(console="off", silent=True),
        )
        self._run.define_metric("*", step_metric=STEPS)

    def log(self, values: Mapping[str, float | int], iteration: int) -> None:
        """A step of wandb is an iteration; its charts stand over environment steps."""
        self._run.log(dict(values), step=iteration)

    def results(self, values: Mapping[str, float], iteration: int) -> None:
        """Into the summary, from which it makes its tables of runs."""
        self._run.summary.update(dict(values))

    def flush(self) -> None:
        """Its own process writes."""

    def close(self) -> None:
        """End this process's part of the run."""
        self._run.finish()


class Trackio:
    """A run of Trackio, in its local store unless TRACKIO_SPACE_ID or TRACKIO_SERVER_URL names another place."""

    def __init__(self, facts: RunFacts, kept: Sequence[Row] | None) -> None:
        self._run: Any = importlib.import_module("trackio").init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=facts.name,
            group=facts.group,
            config=facts.settings,
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, values: Mapping[str, float | int], iteration: int) -> None:
        """A step of Trackio is an iteration."""
        self._run.log(dict(values), step=iteration)

    def results(self, values: Mapping[str, float], iteration: int) -> None:
        """As values of the last iteration."""
        self.log(values, iteration)

    def flush(self) -> None:
        """Its own thread writes."""

    def close(self) -> None:
        """Write what is left."""
        self._run.finish()


MAKERS: dict[LoggerName, Callable[[RunFacts, Sequence[Row] | None], Logger]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
    "trackio": Trackio,
}
