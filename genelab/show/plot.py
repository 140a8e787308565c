"""`genelab plot`: a column of the learning curves of several runs, sweeps and entries in one picture."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from genelab.config.commands import PlotCfg
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.records import names
from genelab.records.eval import EvalRecord
from genelab.records.files import read_record, read_rows
from genelab.records.run import RunRecord
from genelab.records.seed_files import read_task
from genelab.show.curves import draw_rows, label_steps
from genelab.show.segments import OTHER_REWARDS, Segment, segments_of
from genelab.show.text import single

RETURN = "episode_return"
OF_EPISODES = (RETURN, "episode_length", "success_rate")
"""Columns that are means over the last finished episodes."""
TITLES = {
    RETURN: "mean return of the last 100 training episodes",
    "episode_length": "mean length of the last 100 training episodes, control steps",
    "success_rate": "success rate of the last 100 training episodes",
    "step_reward": "mean reward per control step",
    "steps_per_s": "control steps of all environments per s",
    "reward": "{}: mean weighted reward per control step",
    "termination": "{}: episodes that it ended in the iteration",
    "loss": "{} loss",
}
"""What stands at the y axis, by column or by the part of it before the slash; else the column's name."""
SHADE = 0.12
X_TITLES = {"steps": "environment steps", "iterations": "iterations", "hours": "hours of training"}


class SeedCurve(NamedTuple):
    """A column of the curve of one seed."""

    seed: int
    places: dict[int, float]
    """Where each iteration, from 0, lies on the x axis."""
    values: dict[int, float]
    """Values by iteration, where there is one."""
    evaluated: EvalRecord | None

    def rows(self, segment: Segment) -> list[tuple[int, float, float]]:
        """Iteration, place and value of what lies in a segment."""
        return [(i, self.places[i], y) for i, y in self.values.items() if segment.begin <= i < segment.end]


class RunCurves(NamedTuple):
    """The seeds of a run, a sweep or an entry."""

    label: str
    task: TaskSpec
    seeds: list[SeedCurve]

    @property
    def segments(self) -> list[Segment]:
        """Its stages, beside the evaluation that it has or would have."""
        first = next((seed.evaluated for seed in self.seeds if seed.evaluated), None)
        return segments_of(self.task, first.protocol.max_steps if first else None)


def read_curves(paths: Sequence[Path], cfg: PlotCfg) -> list[RunCurves]:
    """Read a column of the curves of runs, sweeps and entries. A training may still be writing.

    Raises:
        InputError: if a path holds no run or no row yet, or the column is none of its own; names those that are.
    """
    folders = [path.resolve() for path in paths]
    short = [
        folder.name if folder.parent.name in ("", "runs") else f"{folder.parent.name}/{folder.name}"
        for folder in folders
    ]
    labels = short if len(set(short)) == len(short) else [str(path) for path in paths]
    return [_read(path, label, cfg) for path, label in zip(paths, labels, strict=True)]


def _read(path: Path, label: str, cfg: PlotCfg) -> RunCurves:
    alone, several = [path] if (path / names.RUN).is_file() else [], path.glob(f"seed_*/{names.RUN}")
    folders = alone or [file.parent for file in several]
    if not folders:
        raise InputError(f"'{path}' holds no run: no {names.RUN}, and no directory seed_<S> with one")
    task, seeds, columns = read_task(folders[0] / names.PARAMS), list[SeedCurve](), dict[str, None]()
    place: dict[str, Callable[[dict[str, Any]], float]] = {
        "steps": lambda row: task.env_steps(row["iteration"] + 1),
        "iterations": lambda row: row["iteration"] + 1,
        "hours": lambda row: row["wall_s"] / 3600.0,
    }
    for folder in folders:
        record = read_record(folder / names.RUN, RunRecord)
        curve, evaluation = folder / names.CURVE, folder / names.EVAL
        rows = read_rows(curve, growing=True) if curve.is_file() else []
        columns |= dict.fromkeys(key for row in rows for key in row)
        places = {row["iteration"]: place[cfg.x](row) for row in rows}
        values = {row["iteration"]: row[cfg.metric] for row in rows if row.get(cfg.metric) is not None}
        evaluated = read_record(evaluation, EvalRecord) if evaluation.is_file() else None
        seeds.append(SeedCurve(record.seed, places, values, evaluated))
    if not columns:
        raise InputError(f"'{path}' has no row of a curve yet")
    if cfg.metric not in columns:
        known = ", ".join(name for name in columns if name != "iteration")
        raise InputError(f"--metric {cfg.metric}: '{path}' has no such column; it has {known}")
    return RunCurves(label, task, sorted(seeds, key=lambda seed: seed.seed))


def notes(runs: Sequence[RunCurves], cfg: PlotCfg) -> list[str]:
    """What a reader of the picture must know: seeds without a line, and returns that are not in one unit."""
    found = [
        f"{run.label}: seed {seed.seed} has no value of {cfg.metric} yet, and no line"
        for run in runs
        for seed in run.seeds
        if not seed.values
    ]
    if cfg.metric != RETURN:
        return found
    units = [(run.label, run.task.env.reward_unit) for run in runs]
    first, unit = units[0]
    others = [label for label, other in units[1:] if other != unit]
    found += [f"{first} and {label} have other rewards: their returns are not in one unit" for label in others]
    differs = [(run.label, run.segments[-1].differs) for run in runs if run.segments[-1].differs]
    return found + [f"{label}: evaluation and idle are not drawn: {told}" for label, told in differs]


def fill(figure: Any, runs: Sequence[RunCurves], cfg: PlotCfg) -> None:
    """Draw every seed as a thin line, and the median of several as a bold one, in a colour for each run."""
    axes: Any = figure.subplots()
    handles = [_draw_run(axes, run, k, cfg, alone=len(runs) == 1) for k, run in enumerate(runs)]
    gray: dict[str, Any] = {"color": "gray", "linewidth": 1.0}
    if cfg.metric in OF_EPISODES:
        handles.append(Line2D([], [], linestyle=":", label="only episodes that ended early so far", **gray))
    if cfg.metric == RETURN:
        handles.append(Line2D([], [], linestyle="", marker="D", markersize=4, label="evaluated", **gray))
        handles.append(Line2D([], [], linestyle="--", label="idle", **gray))
        if any(segment.differs == OTHER_REWARDS for run in runs for segment in run.segments):
            handles.append(Patch(color="gray", alpha=SHADE, label="stages with other rewards than the task's"))
    if cfg.x == "steps":
        label_steps(axes)
    axes.set_xlabel(X_TITLES[cfg.x], fontsize=9)
    group, slash, name = cfg.metric.partition("/")
    title = TITLES.get(group, cfg.metric).format(name) if slash else TITLES.get(cfg.metric, cfg.metric)
    axes.set_ylabel(title, fontsize=9)
    axes.set_xlim(left=0)
    axes.tick_params(labelsize=8)
    axes.grid(visible=True, alpha=0.3)
    figure.legend(handles=handles, fontsize=7, loc="outside lower center")


def _draw_run(axes: Any, run: RunCurves, order: int, cfg: PlotCfg, *, alone: bool) -> Any:
    """Draw a run; returns what stands for it in the legend."""
    lines = [seed for seed in run.seeds if seed.values]
    # A median over the seeds that are there would jump where one of them ends.
    common = sorted(set(lines[0].values).intersection(*(line.values for line in lines))) if lines else []
    middle = SeedCurve(
        seed=-1,
        places={i: median(line.places[i] for line in lines) for i in common},
        values={i: median(line.values[i] for line in lines) for i in common},
        evaluated=None,
    )
    color, furthest = f"C{order % 10}", max((seed.places for seed in run.seeds), key=len)
    for segment in run.segments:
        drawn = segment if cfg.metric in OF_EPISODES else segment._replace(whole_from=segment.begin)
        for line, width, alpha in (*((line, 0.8, 0.45) for line in lines), (middle, 1.8, 1.0)):
            draw_rows(
                axes, line.rows(segment), drawn, color=color, linewidth=width, alpha=alpha, zorder=3 - 0.01 * order
            )
        inside = [x for i, x in furthest.items() if segment.begin <= i < segment.end]
        if not inside:
            continue
        begin = furthest.get(segment.begin - 1, 0.0)
        if segment.begin:
            axes.axvline(begin, color=color, linestyle=":", linewidth=0.8)
        if cfg.metric == RETURN and segment.differs == OTHER_REWARDS:
            axes.axvspan(begin, inside[-1], color="gray", alpha=SHADE, linewidth=0.0)
        if alone and len(run.segments) > 1:
            where: dict[str, Any] = {"rotation": 90, "transform": axes.get_xaxis_transform(), "va": "top"}
            axes.text(begin, 0.98, f" {segment.name}", fontsize=7, color="gray", **where)
    if len(run.seeds) == 1:
        told = f"seed {run.seeds[0].seed}"
    else:
        told = f"{len(lines)} of {len(run.seeds)} seeds" + (", bold: median" if len(lines) > 1 else "")
    if cfg.metric == RETURN and not run.segments[-1].differs:
        told += _draw_evaluation(axes, run, color)
    return Line2D([], [], color=color, linewidth=1.8, label=f"{run.label}: {told}")


def _draw_evaluation(axes: Any, run: RunCurves, color: str) -> str:
    """Draw each seed's evaluation at the end of its curve, and idle along the stages of that unit; tells both."""
    found = [(seed, seed.evaluated) for seed in run.seeds if seed.evaluated]
    if not found:
        return ""
    for seed, record in found:
        axes.plot([max(seed.places.values())], [record.metrics.return_mean], "D", color=color, markersize=4)
    idle = [record.baselines.idle.metrics.return_mean for _, record in found]
    last = run.segments[-1]
    begins = min(segment.begin for segment in run.segments if segment.unit == last.unit)
    same = [x for seed, _ in found for i, x in seed.places.items() if i >= begins - 1]
    axes.hlines(sorted(set(idle)), min(same), max(same), color=color, linestyle="--", linewidth=1.0)
    return f", evaluated {single([record.metrics.return_mean for _, record in found])}, idle {single(idle)}"
