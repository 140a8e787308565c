import pytest
from pydantic import ValidationError

from genelab.config.env import EnvCfg
from genelab.config.snapshot import config_sha256, differences, dump_task, first_problem, load_task
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
    snapshot["task"]["train"]["num_envs"] = -1
    with pytest.raises(InputError, match=r"^params: train.num_envs = -1: Input should be greater than 0$"):
        load_task(snapshot, "params")


@pytest.mark.parametrize(("missing", "left"), [("policy", "critic"), ("critic", "policy")])
def test_both_observation_groups_are_required(missing: str, left: str) -> None:
    snapshot = dump_task(TASK)
    del snapshot["env"]["observations"][missing]
    with pytest.raises(InputError) as caught:
        load_task(snapshot, "params")
    assert (
        str(caught.value) == f"params: env.observations = ['{left}']: must hold the group '{missing}', which ppo needs"
    )


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
