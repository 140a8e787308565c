"""What a config may say of objects, actions, goals and the learner of goals."""

import json
from typing import Any

import pytest

from genelab.config.snapshot import differences, dump_task, load_task
from genelab.errors import InputError
from genelab.registry import get_task

FRANKA = get_task("GeneLab-Franka-Pick-And-Place-v0")
GONE = object()


def _changed(path: str, value: Any) -> dict[str, Any]:
    data = json.loads(json.dumps(dump_task(FRANKA)))
    *parents, key = path.split(".")
    if parents[0] not in data:
        parents.insert(0, "task")
    node = data
    for parent in parents:
        node = node[parent]
    if value is GONE:
        del node[key]
    else:
        node[key] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("env.goal.command", "nowhere", "env.goal.command = 'nowhere': unknown command 'nowhere'; known: goal_pos"),
        ("env.commands", {}, "env.goal.command = 'goal_position': unknown command 'goal_position'; known:"),
        ("env.goal", None, "env.goal = None: must be given, because hindsight replay judges by other goals"),
        (
            "env.objects.cube.size",
            [0.04, 0.04],
            "env.objects.cube.size.2: must be given, which it is not in [0.04, 0.04]",
        ),
        ("env.action.link", "wrist", "env.action.link = 'wrist': unknown link 'wrist'; known: link0, link1, "),
        ("env.action.joints", ["elbow"], "env.action.joints = ['elbow']: unknown joint 'elbow'; known: joint1, "),
        ("env.action.gripper.joints", ["thumb"], "env.action.gripper.joints = ['thumb']: unknown joint 'thumb'; known"),
        (
            "env.action.gripper.joints",
            ["finger_joint1", "joint7"],
            "env.action.gripper.joints = ['finger_joint1', 'joint7']: joint 'joint7' stands in action.joints already",
        ),
        ("env.action.gripper.range", [0.04, 0.0], "must be [low, high] with low not above high"),
        (
            "env.action.kind",
            "velocity",
            "env.action.kind = 'velocity': must be one of 'joint_targets', 'differential_ik'",
        ),
        ("agent.algorithm", "td3", "agent.algorithm = 'td3': must be one of 'ppo', 'sac'"),
        (
            "agent.her",
            None,
            "env.observations = ['observation', 'achieved_goal', 'desired_goal']: must hold the group 'p",
        ),
        ("agent.n_quantiles", 25, "agent.n_quantiles = 25: Extra inputs are not permitted"),
        ("agent.critic.activation", "elu", "agent.critic.activation = 'elu': must be 'relu', that of the actor"),
        ("env.rewards.lifted.bounds", None, "env.rewards.lifted.bounds = None: must be given: the guard of SAC"),
        (
            "agent.learning_starts",
            6400,
            "agent.learning_starts = 6400: must be above the 6400 transitions of one episode of every environment",
        ),
        ("train.num_envs", 65, "agent.learning_starts = 6464: must be above the 6500 transitions"),
        (
            "agent.buffer_size",
            12799,
            "agent.buffer_size = 12799: must be at least 12800, two episodes of every environment",
        ),
        (
            "env.observations.achieved_goal",
            GONE,
            "env.observations = ['observation', 'desired_goal']: must hold the group 'achieved_goal', which sac needs",
        ),
    ],
)
def test_a_config_that_cannot_work_is_refused_in_one_line(path: str, value: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        load_task(_changed(path, value), "config.json")
    message = str(caught.value)
    assert message.startswith("'config.json': ")
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize(("path", "value"), [("agent.learning_starts", 6401), ("agent.buffer_size", 12_800)])
def test_one_transition_more_is_enough(path: str, value: int) -> None:
    part, field = path.split(".")
    assert getattr(getattr(load_task(_changed(path, value), "config.json"), part), field) == value


def test_the_variant_with_quantiles_differs_in_its_critics_alone():
    name = "GeneLab-Franka-Pick-And-Place-v0"
    sac, tqc = (get_task(name, variant) for variant in ("cpu", "tqc"))
    assert load_task(dump_task(tqc), "here") == tqc
    assert differences(dump_task(sac), dump_task(tqc)) == [
        ("task.variant", "cpu", "tqc"),
        ("agent.algorithm", "sac", "tqc"),
        ("agent.n_quantiles", None, 25),
        ("agent.top_quantiles_to_drop_per_net", None, 2),
    ]
    data = dump_task(tqc)
    data["agent"]["top_quantiles_to_drop_per_net"] = 25
    with pytest.raises(InputError, match="top_quantiles_to_drop_per_net = 25: must be below the 25 of n_quantiles"):
        load_task(data, "here")
