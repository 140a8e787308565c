import json
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from genelab.config.actions import ActionCfg
from genelab.config.agent import AgentCfg
from genelab.config.base import KindField
from genelab.config.env import EnvCfg
from genelab.config.snapshot import config_sha256, differences, dump, dump_task, first_problem, load_task
from genelab.config.task import TaskSpec
from genelab.config.terrain import SubTerrainCfg
from genelab.errors import InputError
from genelab.registry import all_tasks, get_task

TASK = get_task("GeneLab-Inverted-Pendulum-v1")
ROUGH = get_task("Genelab-Velocity-Rough-Unitree-Go1-v0")


def _with(path: str, value: Any, task: TaskSpec = TASK) -> TaskSpec:
    data = dump(task)
    *parents, key = path.split(".")
    node: Any = data
    for parent in parents:
        node = node[parent]
    node[key] = value
    return TaskSpec.model_validate(data)


def test_every_task_has_its_own_hash_and_comes_back_from_its_snapshot() -> None:
    assert len({config_sha256(task) for task in all_tasks()}) == len(all_tasks())
    for task in all_tasks():
        back = load_task(json.loads(json.dumps(dump_task(task))), "params")
        assert back == task
        assert config_sha256(back) == config_sha256(task)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("env.robot.gravity_compensation", 0.5),
        ("env.reward_per", "step"),
        ("env.ground", {}),
        ("env.action.scale", 1.0),
        ("agent.gamma", 0.9),
        ("protocol.episodes", 7),
        ("probe", None),
        ("env.disturbances.push.interval_s", [2.0, 2.0]),
    ],
)
def test_every_change_changes_the_hash(path: str, value: Any) -> None:
    changed = _with(path, value)
    assert (config_sha256(changed) == config_sha256(TASK)) == (changed == TASK)


def test_a_value_that_is_the_default_costs_no_hash() -> None:
    """A field that the models gain, with a default that says what held before, changes no digest."""
    assert config_sha256(_with("env.reward_per", "second")) == config_sha256(TASK)


def test_two_kinds_of_a_field_never_share_a_hash() -> None:
    columns = [{"kind": "flat"}, {"kind": "slope", "gradient": [0.0, 0.3]}, {"kind": "slope", "gradient": [0.0, 0.2]}]
    terrains = [_with("env.terrain", {"columns": [column]}, ROUGH) for column in columns]
    joints = [*TASK.env.action.joints]
    actions = [{"kind": "joint_targets", "joints": joints, "scale": scale} for scale in (2.0, {"slider": 2.0})]
    tasks = [*terrains, *(_with("env.action", action) for action in actions)]
    assert len({config_sha256(task) for task in tasks}) == len(tasks)


@pytest.mark.parametrize("union", [ActionCfg, AgentCfg, SubTerrainCfg])
def test_every_model_that_one_field_may_hold_says_in_the_hash_which_it_is(union: Any) -> None:
    """What is left at its default is left out, but for the kind: two models may have the same other fields."""
    models = [get_args(each)[0] for each in get_args(get_args(union)[0])]
    assert len(models) > 1
    for model in models:
        assert any(name in model.model_fields for name in get_args(KindField)), model


def test_the_order_of_terms_is_part_of_the_hash() -> None:
    snapshot, turned = dump_task(TASK), dump_task(TASK)
    turned["env"]["rewards"] = dict(reversed(turned["env"]["rewards"].items()))
    assert config_sha256(TASK) != config_sha256(load_task(turned, "params"))
    assert [path for path, _, _ in differences(snapshot, turned)] == ["env.rewards (order)"]


def test_differences_name_the_leaves() -> None:
    old, new = dump_task(TASK), dump_task(TASK)
    new["agent"]["gamma"] = 0.9
    del new["env"]["disturbances"]["push"]["interval_s"]
    assert differences(old, new) == [
        ("env.disturbances.push.interval_s", [2.0, 5.0], None),
        ("agent.gamma", 0.99, 0.9),
    ]


def test_a_rule_over_several_fields_names_the_path_from_the_model_that_is_built() -> None:
    env = dump_task(TASK)["env"]
    env["action"]["joints"] = ["wheel"]
    with pytest.raises(ValidationError) as caught:
        EnvCfg.model_validate(env)
    assert first_problem(caught.value) == "action.joints = ['wheel']: unknown joint 'wheel'; known: slider, hinge"


def test_equal_bounds_and_one_row_per_mini_batch_are_allowed() -> None:
    snapshot = dump_task(TASK)
    snapshot["env"]["disturbances"]["push"]["interval_s"] = [2.0, 2.0]
    snapshot["env"]["reset_events"]["joint_state"]["params"]["position_range"] = [0.0, 0.0]
    snapshot["task"]["train"]["num_envs"], snapshot["agent"]["num_mini_batches"] = 1, TASK.agent.num_steps_per_env
    assert dump_task(load_task(snapshot, "params")) == snapshot


def test_fixed_normalisation_needs_bounds_of_every_term() -> None:
    snapshot = dump_task(TASK)
    snapshot["agent"]["normalization"] = "fixed"
    assert load_task(snapshot, "params").agent.normalization == "fixed"
    snapshot["env"]["observations"]["critic"]["terms"]["joint_vel"]["bounds"] = None
    with pytest.raises(
        InputError, match=r"agent\.normalization = 'fixed': needs env\.observations\.critic\.terms\.joint_vel"
    ):
        load_task(snapshot, "params")


@pytest.mark.parametrize("pair", [[1.0, 1.0], [2.0, -2.0]])
def test_a_bound_goes_from_low_to_high(pair: list[float]) -> None:
    snapshot = dump_task(TASK)
    snapshot["env"]["observations"]["policy"]["terms"]["joint_pos"]["bounds"] = [pair]
    with pytest.raises(InputError, match=r"bounds.*low below high"):
        load_task(snapshot, "params")
