"""Mirror images: involutions that follow from names, and hand-computed images."""

import pytest
import torch

from genelab.config.env import EnvCfg
from genelab.config.scene import MirrorCfg, mirror_name
from genelab.config.terms import ObservationTermCfg
from genelab.errors import InputError
from genelab.mdp.mirror import Mirror, group_images
from genelab.mdp.term import Grid, action_images, joint_images
from genelab.registry import all_tasks, get_task

SCENES = [task for task in all_tasks() if isinstance(task.env, EnvCfg)]
SYMMETRIC = [task.id for task in SCENES if task.scene.robot.mirror is not None]
GO1 = "Genelab-Velocity-Flat-Unitree-Go1-v0"
GO2W = "Genelab-Velocity-Flat-Unitree-Go2W-v0"


def _env(task: str) -> EnvCfg:
    return get_task(task).env


@pytest.mark.parametrize("task", SYMMETRIC)
def test_the_image_of_the_image_is_the_original(task: str) -> None:
    env = _env(task)
    maps = [group_images(env, name) for name in env.observations]
    for columns in [*maps, action_images(env)]:
        mirror = Mirror.of(columns, torch.device("cpu"))
        rows = torch.randn(7, len(columns), generator=torch.Generator().manual_seed(1))
        assert not torch.equal(mirror(rows), rows)
        assert torch.equal(mirror(mirror(rows)), rows)


def test_joints_change_sides_and_hips_change_their_sign() -> None:
    robot = _env(GO1).robot
    names = list(robot.joints)
    found = dict(zip(names, joint_images(robot, names), strict=True))
    assert found["FR_hip_joint"] == (names.index("FL_hip_joint"), -1.0)
    assert found["RL_thigh_joint"] == (names.index("RR_thigh_joint"), 1.0)
    assert found["FL_calf_joint"] == (names.index("FR_calf_joint"), 1.0)


def test_an_observation_is_mirrored_term_by_term_and_frame_by_frame() -> None:
    env = _env(GO2W)
    columns = group_images(env, "policy")
    assert len(columns) == 5 * 57
    mirror = Mirror.of(columns, torch.device("cpu"))
    frame = torch.zeros(57)
    frame[:6] = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])  # angular velocity, gravity
    frame[54:] = torch.tensor([7.0, 8.0, 9.0])  # command
    older = torch.cat([frame, torch.zeros(4 * 57)])
    expected = torch.zeros(57)
    expected[:6] = torch.tensor([-1.0, 2.0, -3.0, 4.0, -5.0, 6.0])
    expected[54:] = torch.tensor([7.0, -8.0, -9.0])
    assert torch.equal(mirror(older)[:57], expected)
    assert not mirror(older)[57:].any()


def test_a_name_without_a_side_stands_in_the_middle() -> None:
    mirror = MirrorCfg(swap=(("left_", "right_"),), flip=("waist_yaw", "hip"))
    assert mirror_name(mirror, "left_hip") == ("right_hip", -1.0)
    assert mirror_name(mirror, "right_knee") == ("left_knee", 1.0)
    assert mirror_name(mirror, "waist_yaw") == ("waist_yaw", -1.0)
    assert mirror_name(mirror, "waist_pitch") == ("waist_pitch", 1.0)


def test_a_term_whose_image_is_not_known_is_named() -> None:
    env = _env(GO1)
    group = env.observations["policy"]
    unknown = ObservationTermCfg(func="genelab.mdp.observations:link_pos", params={"link": "trunk"})
    policy = group.model_copy(update={"terms": {**group.terms, "trunk": unknown}})
    changed = env.model_copy(update={"observations": {"policy": policy}})
    told = r"env\.observations\.policy\.terms\.trunk\.func .* does not say how its mirror image looks"
    with pytest.raises(InputError, match=told):
        group_images(changed, "policy")


def test_half_of_a_pair_has_no_image() -> None:
    robot = _env(GO1).robot
    with pytest.raises(InputError, match="'FL_hip_joint', which is not among"):
        joint_images(robot, ["FR_hip_joint"])


def test_a_scan_is_read_from_the_other_side() -> None:
    # Two rows ahead of each other with three points from the right to the left.
    columns = Grid("size", "resolution").images(_env(GO1), {"size": [0.1, 0.2], "resolution": 0.1})
    assert Mirror.of(columns, torch.device("cpu"))(torch.arange(6.0)).tolist() == [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]
