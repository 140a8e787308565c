import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from genelab.families.tracking import quaternions as quat
from genelab.families.tracking.clip import Clip, ClipInfo
from genelab.families.tracking.kinematics import Motion, clip_of, model_of, motion_of, resampled
from tests.families.tracking.g1 import FPS, ROBOT, lively, standing


def info(fps: float = FPS) -> ClipInfo:
    return ClipInfo.of(
        ROBOT,
        name="test",
        fps=fps,
        source="a test",
        licence="Apache-2.0",
        input_sha256=None,
        options={},
    )


def test_quaternions_are_those_of_scipy():
    a, b = Rotation.random(50, random_state=1), Rotation.random(50, random_state=2)
    q, p = (r.as_quat()[:, [3, 0, 1, 2]] for r in (a, b))

    def same(mine: np.ndarray, theirs: Rotation) -> bool:
        return bool(np.allclose(np.abs((mine * theirs.as_quat()[:, [3, 0, 1, 2]]).sum(1)), 1.0))

    v = np.random.default_rng(3).normal(size=(50, 3))
    assert same(quat.multiply(q, p), a * b)
    assert same(quat.conjugate(q), a.inv())
    assert np.allclose(quat.rotate(q, v), a.apply(v))
    assert np.allclose(quat.log(q), a.as_rotvec())
    assert same(quat.exp(v), Rotation.from_rotvec(v))
    assert same(quat.euler_xyz(v), Rotation.from_euler("xyz", v))
    # The shorter way, whatever the signs.
    assert np.allclose(quat.log(-q), quat.log(q))
    assert np.allclose(quat.log(np.array([[1.0, 0.0, 0.0, 0.0]])), 0.0)


def test_links_stand_where_mujoco_has_them_and_move_as_its_velocities_say():
    """Velocities of MuJoCo follow from Jacobians and not from differences of poses."""
    motion = lively()
    clip, model = clip_of(motion, ROBOT, info()), model_of(ROBOT)
    data, frame = mujoco.MjData(model), 70
    data.qpos[:] = motion.qpos[frame]
    mujoco.mj_differentiatePos(model, data.qvel, 2.0 / FPS, motion.qpos[frame - 1], motion.qpos[frame + 1])
    mujoco.mj_forward(model, data)
    for column, link in enumerate(clip.info.links):
        body, found = model.body(link).id, np.zeros(6)
        mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_XBODY, body, found, 0)
        assert clip.link_pos_w[frame, column] == pytest.approx(data.xpos[body], abs=1e-6)
        assert abs(clip.link_quat_w[frame, column] @ data.xquat[body]) == pytest.approx(1.0, abs=1e-6)
        assert clip.link_ang_vel_w[frame, column] == pytest.approx(found[:3], abs=0.01)
        assert clip.link_lin_vel_w[frame, column] == pytest.approx(found[3:], abs=0.01)
    # A root that is not where the joints say would show nowhere else.
    assert np.abs(clip.joint_vel[frame]).max() > 0.1


def test_velocities_are_central_differences_with_repeated_ends():
    """The root turns at 1.5 rad/s about z and moves along x by t^2, of which 2 t is the exact central difference."""
    still, time = standing(), np.arange(61) / FPS
    pos = still.root_pos + np.outer(time**2, [1.0, 0.0, 0.0])
    clip = clip_of(Motion(FPS, pos, quat.yaw(1.5 * time), still.joint_pos), ROBOT, info())
    assert clip.link_ang_vel_w == pytest.approx(np.broadcast_to([0.0, 0.0, 1.5], (61, 30, 3)), abs=1e-4)
    expected = 2.0 * np.concatenate([time[1:2], time[1:-1], time[-2:-1]])
    assert clip.link_lin_vel_w[:, 0, 0] == pytest.approx(expected, abs=1e-5)
    assert np.all(clip.joint_vel == 0.0)


def test_resampling_keeps_the_last_frame_and_goes_straight_between_frames():
    """31 frames at 30 a second are 1 s, which is 51 frames at 50: frame 26 of the new ones is at 15.6 of the old."""
    still, time = standing(31), np.arange(31) / 30.0
    joints = still.joint_pos + np.where(np.arange(31) % 2, 0.1, 0.0)[:, None]
    turned = resampled(Motion(30.0, still.root_pos + time[:, None], quat.yaw(2.0 * time), joints), 50.0)
    assert turned.frames == 51
    assert turned.root_pos[-1] - still.root_pos[0] == pytest.approx(1.0)
    assert turned.root_pos[26] - still.root_pos[0] == pytest.approx(0.52)
    assert turned.joint_pos[26] - still.joint_pos[0] == pytest.approx(0.04)
    assert quat.log(turned.root_quat)[:, 2] == pytest.approx(2.0 * np.arange(51) / 50.0)
    # 30 frames are 0.9667 s, so that frame 49 lies behind the end.
    assert resampled(Motion(30.0, still.root_pos[:30], still.root_quat[:30], joints[:30]), 50.0).frames == 49


def test_a_clip_holds_its_motion_and_equal_ones_are_equal_to_the_byte(tmp_path):
    motion = lively()
    clip = clip_of(motion, ROBOT, info())
    (tmp_path / "a").write_bytes(clip.encode())
    back = motion_of(Clip.read(tmp_path / "a"))
    assert np.abs(back.qpos - motion.qpos).max() < 1e-6
    assert clip_of(motion, ROBOT, info()).encode() == clip.encode()
