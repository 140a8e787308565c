import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from genelab.runs.curve import CurveWriter


def write(path: Path, start: int, end: int) -> None:
    writer = CurveWriter(path, start)
    for iteration in range(start, end):
        writer.append({"iteration": iteration, "episode_return": 1.0, "wall_s": None})
    writer.flush()
    # No close: it is killed.


def test_rows_of_killed_attempts_are_counted_once_in_the_curve_and_in_the_events(tmp_path: Path) -> None:
    """The first attempt is killed before it saved anything, the second after two iterations."""
    path = tmp_path / "curve.jsonl"
    write(path, 0, 3)
    write(path, 0, 4)
    write(path, 2, 5)
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == [0, 1, 2, 3, 4]
    events = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("train/episode_return")] == [0, 1, 2, 3, 4]
