"""Parameters of terms that would make another task, or a broken one, without a word."""

from pathlib import Path
from typing import Any

import pytest

from genelab.config.overrides import apply_overrides
from genelab.envs.terms import check_terms
from genelab.errors import InputError
from genelab.registry import get_task, task_ids
from tests.clips import ready

FRANKA = "GeneLab-Franka-Pick-And-Place-v0"
POLES = "GeneLab-Double-Inverted-Pendulum-v0"
ROUGH, GO2W = "Genelab-Velocity-Rough-Unitree-Go1-v0", "Genelab-Velocity-Flat-Unitree-Go2W-v0"
SCAN = "env.observations.policy.terms.height_scan.params"


@pytest.mark.parametrize(
    ("task", "change", "told"),
    [
        (ROUGH, 'env.rewards.air_time.params.axes=["y","yaw"]', "axes.1 = 'yaw': Input should be 'x', 'y' or 'turn'"),
        (ROUGH, f"{SCAN}.size=[1.65,1.0]", "must be multiples of the resolution 0.1"),
        (ROUGH, f"{SCAN}.clip=[1,-1]", "must be [low, high] with low below high"),
        (ROUGH, "env.commands.velocity.params.x_range=[1,-1]", "must be [low, high] with low not above high"),
        (
            ROUGH,
            'env.robot.default_pos={"FL_thigh_joint": 5, ".*_calf_joint": -1.8}',
            "must lie in the joint's range [-0.686, 4.501]",
        ),
        (ROUGH, 'env.rewards.joint_acc.params.joints=["FL_hip_join"]', "unknown joint 'FL_hip_join'"),
        (FRANKA, "env.goal.params.object=ball", "env.goal.params.object = 'ball': unknown object 'ball'; known: cube"),
        (FRANKA, "env.reset_events.cube.params.object=ball", "env.reset_events.cube.params.object = 'ball': unknown"),
        (
            POLES,
            "env.observations.policy.terms.pole_ang_vel.params.link=pole",
            "unknown link 'pole'; known: cart, pole_1, ",
        ),
        (POLES, 'env.disturbances.push.params.joints=["wheel"]', "env.disturbances.push.params.joints = ['wheel']: "),
        (POLES, "env.reset_events.joint_state.params.position_range=[1]", "position_range.1 = [1.0]: Field required"),
        (POLES, "env.rewards.poles_aligned.params.joint_a=wheel", "unknown joint 'wheel'; known: slider, hinge_1"),
        (
            ROUGH,
            'env.rewards.joint_acc.params.joints=[".*_hip_joint","FL.*"]',
            "'FL_hip_joint' is matched by '.*_hip_j",
        ),
        (ROUGH, 'env.feet.sites=["FL","FL"]', "site 'FL' is matched by 'FL' and by 'FL'"),
        (ROUGH, 'env.action.joints=["FL_hip.*","FL_.*"]', "'FL_hip_joint' is matched by 'FL_hip.*' and by 'FL_.*'"),
        (ROUGH, 'env.action.scale={".*_hip_joint":0.125}', "no pattern matches joint 'FR_thigh_joint'"),
        (ROUGH, 'env.action.joints=["FL_hip_joint"]', "must drive 'FR_hip_joint': it has gains"),
        (ROUGH, "env.reset_events.base.params.x_range=[-3,0.5]", "must lie within ±0.5 m of a cell's centre"),
        (ROUGH, "env.commands.velocity.resample_s=[3]", "resample_s.1: must be given, which it is not in [3]"),
        (GO2W, "env.randomizations.wheel_friction.params.friction_range=[0.3,9]", "must lie within 0.01 to 5"),
        (GO2W, "env.randomizations.gains.params.factor_range=[-1,1]", "must begin above 0"),
        (GO2W, "env.randomizations.wheel_friction.params.friction_range=[0.1,1]", "must not begin below the ground"),
    ],
)
def test_a_parameter_that_breaks_its_rule_is_named_with_value_and_rule(task: str, change: str, told: str) -> None:
    path = change.partition("=")[0]
    with pytest.raises(InputError) as caught:
        check_terms(apply_overrides(get_task(task), [change])[0])
    text = str(caught.value)
    assert told in text
    assert path.removeprefix("env.").rpartition(".")[2] in text
    assert "Value error" not in text
    assert "\n" not in text


@pytest.mark.parametrize("task", task_ids())
def test_the_terms_of_every_task_take_their_parameters(task: str, tmp_path: Path) -> None:
    check_terms(ready(get_task(task), tmp_path))


def _with_mirror(**changes: Any) -> list[str]:
    return [f"env.robot.mirror.{name}={value}" for name, value in changes.items()]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (_with_mirror(swap='[["FL_","FR_"],["RLX_","RRX_"]]'), "no joint's name begins with 'RLX_'"),
        (_with_mirror(swap='[["FL_","FR_"]]'), "joint 'RL_hip_joint' is to change its sign"),
        (_with_mirror(swap='[["FL_","FR_"],["RL_","RR_"],["ML_","MR_"]]'), "no joint's name begins with 'ML_'"),
        (_with_mirror(swap='[["FL_","XR_"],["RL_","RR_"]]'), "which the robot does not have"),
        (_with_mirror(flip='["hips"]'), "no joint is called 'hips' after its prefix"),
        (['env.robot.default_pos={"FL_thigh_joint": 0.8, ".*_calf_joint": -1.8}'], "mirror image of that of"),
    ],
)
def test_a_mirror_that_does_not_fit_the_robot_is_refused(changes: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        apply_overrides(get_task(GO2W), changes)


def test_mirror_images_need_a_mirror() -> None:
    task = get_task("GeneLab-Inverted-Pendulum-v1")
    with pytest.raises(InputError, match=r"agent\.symmetry = True: needs env\.robot\.mirror"):
        apply_overrides(task, ["agent.symmetry=true"])
