"""The parts of eval.json that follow from its episodes. The evaluator writes them, `genelab check` recomputes them."""

from collections.abc import Sequence
from typing import NamedTuple

from genelab.records.eval import Baseline, Episodes, EvalRecord, Metrics, RoundTrip
from genelab.records.statistics import above_idle, mean, population_std, wilson


def metrics_of(episodes: Episodes) -> Metrics:
    """Aggregate episodes."""
    return Metrics(
        return_mean=mean(episodes.return_),
        return_std=population_std(episodes.return_),
        length_mean=mean(episodes.length),
        success_rate=None if episodes.success is None else mean(episodes.success),
        success_at_end_rate=None if episodes.success_at_end is None else mean(episodes.success_at_end),
        measures={name: mean(column) for name, column in episodes.measures.items()},
        fall_rate=mean([end == "terminated" for end in episodes.end]) if episodes.measures else None,
    )


WAYS = ("speed_along_command", "commanded_speed")
"""Measures of which the share of the way is made: m/s made, and m/s asked for."""


def share_of_the_way(episodes: Episodes) -> float | None:
    """Distance made in the direction of the command over the distance commanded, over the steps of all episodes.

    None where either is not measured, or hardly any distance was commanded.
    """
    return _share(episodes.length, *(episodes.measures[name] for name in WAYS if name in episodes.measures))


def _share(lengths: Sequence[int], *speeds: Sequence[float]) -> float | None:
    if len(speeds) != len(WAYS):
        return None
    way, asked = (sum(speed * steps for speed, steps in zip(each, lengths, strict=True)) for each in speeds)
    return way / asked if asked > STANDING * sum(lengths) else None


STANDING = 0.1
"""Mean commanded speed up to which there is no way to share, m/s: a clip in its place, as a squat, has sway."""


ERROR = "_error"
"""Ending of the names of measures of how badly a command is followed."""


class LevelResult(NamedTuple):
    """What the episodes earned that began on one level of the terrain."""

    level: int
    episodes: int
    return_mean: float
    fall_rate: float
    """Share of them that the task ended."""
    share_of_the_way: float | None
    """Distance made over distance commanded; None where it is not measured."""


def by_level(episodes: Episodes, rows: int) -> list[LevelResult]:
    """Results by the level on which an episode began, which its number says: number mod rows.

    Levels on which none began are left out.
    """
    found: list[LevelResult] = []
    for level in range(min(rows, len(episodes.index))):
        ours = slice(level, None, rows)
        way = _share(
            episodes.length[ours], *(episodes.measures[name][ours] for name in WAYS if name in episodes.measures)
        )
        found.append(
            LevelResult(
                level=level,
                episodes=len(episodes.index[ours]),
                return_mean=mean(episodes.return_[ours]),
                fall_rate=mean([end == "terminated" for end in episodes.end[ours]]),
                share_of_the_way=way,
            )
        )
    return found


def baseline_of(episodes: Episodes) -> Baseline:
    """A baseline with its aggregates."""
    return Baseline(episodes=episodes, metrics=metrics_of(episodes))


def success_above_idle(episodes: Episodes, idle: Episodes) -> bool | None:
    """Whether the success rate is clearly above idle's, which is luck: their 95 % Wilson intervals do not meet.

    None where the task has no goal.
    """
    if episodes.success is None or idle.success is None:
        return None
    low, _ = wilson(sum(episodes.success), len(episodes.success))
    _, high = wilson(sum(idle.success), len(idle.success))
    return low > high


def no_better_than(episodes: Episodes, baseline: Episodes) -> tuple[str, ...] | None:
    """Measured errors that are not clearly below those of a baseline, by the rule of `above_idle`.

    A legged robot that only stands well may earn clearly more than one that is told nothing, and walk nowhere.
    None where the task measures no error.
    """
    names = [name for name in episodes.measures if name.endswith(ERROR) and name in baseline.measures]
    worse = [
        name
        for name in names
        if not above_idle([-v for v in episodes.measures[name]], [-v for v in baseline.measures[name]]).passed
    ]
    return tuple(worse) if names else None


def unproven(record: EvalRecord) -> list[str]:
    """What the numbers of a record do not prove: what is not clearly better than doing nothing."""
    idle = record.baselines.idle.episodes
    found = [] if record.above_idle.passed else ["not clearly above doing nothing"]
    if success_above_idle(record.episodes, idle) is False:
        found.append("success not clearly above that of doing nothing")
    worse = no_better_than(record.episodes, idle) or ()
    found += [f"{name} not clearly below that of doing nothing" for name in worse]
    if record.baselines.frozen is not None:
        worse = no_better_than(record.episodes, record.baselines.frozen.episodes) or ()
        found += [f"{name} not clearly below that of standing still" for name in worse]
    return found


def round_trip_of(
    in_memory_return: Sequence[float], episodes: Episodes, tolerance: float, differs: tuple[str, ...]
) -> RoundTrip:
    """Compare the in-memory policy's returns of episodes 0..n-1 with those of the reloaded one.

    Args:
        in_memory_return: returns of the policy in memory.
        episodes: of the reloaded one.
        tolerance: largest difference of a return allowed where nothing differs.
        differs: as `genelab.records.stamps.other_sums` tells it.

    Raises:
        ValueError: if there is none, or more than were evaluated.
    """
    count = len(in_memory_return)
    if not 1 <= count <= len(episodes.return_):
        raise ValueError(f"{count} in-memory returns for {len(episodes.return_)} evaluated episodes")
    pairs = zip(in_memory_return, episodes.return_, strict=False)
    largest = max(abs(before - after) for before, after in pairs)
    return RoundTrip(
        episodes=count,
        in_memory_return=tuple(in_memory_return),
        tolerance=tolerance,
        max_abs_difference=largest,
        passed=largest <= tolerance,
        differs=differs,
    )


def reload_told(found: RoundTrip) -> str:
    """What came of the reload check, in one line."""
    told = f"largest difference {found.max_abs_difference:g} to the policy in memory"
    if not found.differs:
        return told
    why = "trained on another processor, versions or threads, returns not comparable bit for bit"
    return f"{told}; {why} ({'; '.join(found.differs)})"
