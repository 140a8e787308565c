import pytest

from genelab.config.snapshot import config_sha256, differences, dump_task, load_task
from genelab.errors import InputError
from genelab.registry import all_tasks, get_task

TASK = get_task("GeneLab-Inverted-Pendulum-v1")


def test_every_task_has_its_own_hash() -> None:
    assert len({config_sha256(dump_task(task)) for task in all_tasks()}) == len(all_tasks())


def test_the_order_of_terms_is_part_of_the_hash() -> None:
    snapshot, turned = dump_task(TASK), dump_task(TASK)
    turned["env"]["rewards"] = dict(reversed(turned["env"]["rewards"].items()))
    assert config_sha256(snapshot) != config_sha256(turned)
    assert [path for path, _, _ in differences(snapshot, turned)] == ["env.rewards (order)"]


def test_differences_name_the_leaves() -> None:
    old, new = dump_task(TASK), dump_task(TASK)
    new["agent"]["gamma"] = 0.9
    del new["env"]["disturbances"]["push"]["interval_s"]
    assert differences(old, new) == [
        ("env.disturbances.push.interval_s", [2.0, 5.0], None),
        ("agent.gamma", 0.99, 0.9),
    ]


def test_a_spoilt_snapshot_is_one_clear_line() -> None:
    snapshot = dump_task(TASK)
    snapshot["env"]["num_envs"] = -1
    with pytest.raises(InputError, match=r"^params: env.num_envs = -1: Input should be greater than 0$"):
        load_task(snapshot, "params")
