from pathlib import Path

import numpy as np
import pytest

from genelab.inspection.demos import inspect_demos
from genelab.records.demos import encode_demos
from genelab.records.inspection import Inspection
from genelab.show.inspection_picture import write_pictures
from genelab.show.inspection_table import lines
from tests import franka_demos
from tests.inspection.demo_files import demos, raw_observations, standardised


def inspected(tmp_path: Path, observations: np.ndarray, **header: object) -> Inspection:
    path = tmp_path / "demos.safetensors"
    path.write_bytes(encode_demos(demos(observations, **header)))
    return inspect_demos(path)


def test_a_set_whose_normalised_values_were_never_normalised_is_found(tmp_path: Path):
    found = inspected(tmp_path, raw_observations(), normalized=True)
    policy, actions = found.groups
    assert policy.flags == ("never_normalised",)
    assert all("spread_far_from_one" in column.flags for column in policy.columns)
    assert "saturated" in actions.columns[1].flags
    text = "\n".join(lines(found))
    assert "FLAG: NEVER NORMALISED: declared normalised, but most columns do not have mean 0" in text


def test_a_set_that_was_normalised_is_clean(tmp_path: Path):
    policy, _ = inspected(tmp_path, standardised(raw_observations()), normalized=True).groups
    assert policy.flags == ()
    assert [column.flags for column in policy.columns] == [()] * 6
    # Normalised numbers have no unit, in which bounds could be compared.
    assert {column.bound for column in policy.columns} == {None}


def test_raw_data_is_clean_and_in_its_own_unit(tmp_path: Path):
    rows = raw_observations()
    policy, actions = inspected(tmp_path, rows).groups
    assert policy.flags == ()
    names = ["joint_pos[arm]", "joint_pos[hand]", "speed[x]", "speed[y]", "speed[z]", "touch[0]"]
    assert [column.name for column in policy.columns] == names
    assert policy.columns[3].mean == pytest.approx(10.0 * rows[:, 3].astype(np.float64).mean())
    touch = policy.columns[5]
    assert touch.share_outside == ((rows[:, 5] < 0) | (rows[:, 5] > 1)).mean()
    assert (touch.seen_mean, touch.share_clipped, policy.seen) == (None, None, None)
    # 1000 steps from -2 to 2, cut to +-1: half of them are at a limit.
    assert [column.name for column in actions.columns] == ["arm", "hand"]
    assert {column.seen_mean for column in actions.columns} == {None}
    assert [column.share_saturated for column in actions.columns] == [0.0, 0.5]
    assert [column.share_clipped for column in actions.columns] == [None, 0.5]


def test_raw_data_that_was_normalised_is_found(tmp_path: Path):
    policy, _ = inspected(tmp_path, standardised(raw_observations())).groups
    assert policy.flags == ("already_normalised",)


def test_episodes_and_successes_are_told(tmp_path: Path):
    path = tmp_path / "demos.safetensors"
    path.write_bytes(encode_demos(franka_demos.demos()))
    found = inspect_demos(path)
    assert found.collection is not None
    assert (found.collection.episodes, found.collection.success_at_end_rate) == (64, 0.25)
    first = lines(found)[0]
    assert first.endswith(", 64 episodes, return -1.000, success 50.0% ever, 25.0% at the end")
    # A file of observations and actions alone tells nothing of them.
    assert inspected(tmp_path, raw_observations()).collection is None


def test_names_that_the_file_chose_do_not_reach_the_terminal_raw(tmp_path: Path):
    layout = [{"name": "a\x1b[2J\n" + "x" * 5000, "start": 0, "stop": 6}]
    found = inspected(
        tmp_path, raw_observations(), layout={"policy": layout}, actions=[{"name": "b\x1b"}, {"name": "c"}]
    )
    assert all(line.isprintable() for line in lines(found))
    assert max(map(len, lines(found))) < 1000


def test_non_finite_values_are_told_by_column(tmp_path: Path):
    rows = raw_observations()
    rows[[3, 500], 1] = float("nan")
    rows[:, 4] = float("inf")
    found = inspected(tmp_path, rows)
    policy = found.groups[0]
    assert [column.non_finite for column in policy.columns] == [0, 2, 0, 0, 1000, 0]
    assert (policy.columns[1].flags, policy.columns[4].flags) == (("non_finite",), ("non_finite",))
    assert policy.columns[4].mean is None
    assert "NON FINITE: NaN or infinity" in "\n".join(lines(found))
    assert write_pictures(found, tmp_path / "pictures")


def test_one_picture_per_group(tmp_path: Path):
    found = inspected(tmp_path, raw_observations(), normalized=True)
    paths = write_pictures(found, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["observations_policy.svg", "actions.svg"]
    text = paths[0].read_text()
    assert all(part in text for part in ("speed[y]", "spread far from one", "Example-Reach-v1: policy"))
