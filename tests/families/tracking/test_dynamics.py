import copy

import mujoco
import numpy as np
import pytest

from genelab.families.tracking.dynamics import Dynamics, stance_of
from genelab.families.tracking.kinematics import Motion, model_of
from genelab.families.tracking.legs import Leg
from genelab.families.tracking.quality import quality_of
from tests.families.tracking.g1 import FPS, MOTIONS, ON_BALLS, ROBOT, clip_motion, standing

FEET = MOTIONS.feet


def test_a_robot_that_stands_still_weighs_on_the_point_under_its_centre_of_mass():
    """The balls reach from 45 mm behind the ankles to 115 mm before them; the pelvis is 1.4 mm before the
    ankles and the centre of mass 32 mm."""
    dynamics, stance = Dynamics(ON_BALLS, FEET, standing()), stance_of(ON_BALLS, FEET)
    model = model_of(ON_BALLS)
    force, _ = dynamics.ground
    assert force == pytest.approx(np.tile([0.0, 0.0, 9.81 * model.body_mass.sum()], (61, 1)), abs=1e-6)
    assert dynamics.zmp - standing().root_pos[:, :2] == pytest.approx(
        np.tile(stance.com[:2] - stance.pelvis, (61, 1)), abs=1e-6
    )
    assert stance.height == pytest.approx(0.7567, abs=1e-4)
    # The default pose tilts the feet by 0.006 rad.
    assert dynamics.sole_heights == pytest.approx(0.0, abs=6e-4)
    assert dynamics.stance.all()
    assert dynamics.margin == pytest.approx(0.045 + stance.com[0], abs=1e-3)


def test_outside_the_feet_the_margin_is_negative():
    """On the right foot alone, the centre of mass is about 118 mm from its middle, and its edge 24 mm."""
    lifted = standing()
    lifted.joint_pos[:, ROBOT.joints.index("left_knee_joint")] += 1.0
    dynamics = Dynamics(ON_BALLS, FEET, lifted)
    assert dynamics.stance.tolist() == [[False, True]] * 61
    aside = dynamics.zmp[0, 1] - dynamics.foot_poses[0][0, 1, 1]
    assert dynamics.margin == pytest.approx(0.024 - aside, abs=1e-3)
    assert dynamics.margin[0] < -0.09


def test_torques_and_contacts_bring_about_the_motion():
    """Put on a free robot in MuJoCo, they give the accelerations of the frames: in single and in double support."""
    motion = clip_motion("slow_walk")
    dynamics, model = Dynamics(ROBOT, FEET, motion), copy.copy(model_of(ROBOT))
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONSTRAINT)
    for joint in ROBOT.joints:
        model.joint(joint).armature[:] = ROBOT.armature_of(joint, float(model.joint(joint).armature[0]))
    torques, (points, forces, moments) = dynamics.torques(), dynamics.contacts
    seen = set()
    for frame in range(95, 170, 7):
        data = mujoco.MjData(model)
        data.qpos[:] = motion.qpos[frame]
        before, after = np.zeros(model.nv), np.zeros(model.nv)
        mujoco.mj_differentiatePos(model, before, 1 / FPS, motion.qpos[frame - 1], motion.qpos[frame])
        mujoco.mj_differentiatePos(model, after, 1 / FPS, motion.qpos[frame], motion.qpos[frame + 1])
        data.qvel[:] = (before + after) / 2.0
        mujoco.mj_fwdPosition(model, data)
        data.qfrc_applied[6:] = torques[frame]
        for foot, link in enumerate(FEET.links):
            args = forces[frame, foot], moments[frame, foot], points[frame, foot], model.body(link).id
            mujoco.mj_applyFT(model, data, *args, data.qfrc_applied)
        mujoco.mj_forward(model, data)
        assert data.qacc == pytest.approx((after - before) * FPS, abs=1e-6)
        seen.add(tuple(dynamics.stance[frame]))
    assert seen == {(True, True), (True, False), (False, True)}
    # The ground cannot pull.
    assert forces[..., 2].min() >= 0.0


def test_a_foot_is_found_again_from_its_pose_and_told_where_out_of_reach():
    model, motion = model_of(ROBOT), standing(20)
    rng = np.random.default_rng(0)
    leg = Leg(model, FEET.links[1])
    assert [ROBOT.joints[k] for k in leg.columns] == list(ROBOT.joints[6:12])
    wanted = motion.joint_pos[:, leg.columns] + rng.uniform(-0.2, 0.2, (20, 6))
    joints = motion.joint_pos.copy()
    joints[:, leg.columns] = wanted
    pos, rot = Dynamics(ROBOT, FEET, Motion(FPS, motion.root_pos, motion.root_quat, joints)).foot_poses
    root = motion.root_pos, motion.root_quat
    found, error = leg.solve(root, (pos[:, 1], rot[:, 1]), motion.joint_pos[:, leg.columns])
    assert error < 1e-8
    assert found == pytest.approx(wanted, abs=1e-6)
    _, error = leg.solve(root, (pos[:, 1] - [0.0, 0.0, 0.3], rot[:, 1]), wanted)
    assert error > 0.01


def test_quality_tells_what_is_wrong_with_a_motion():
    motion = standing()
    assert quality_of(motion, ROBOT, FEET).problems() == []
    knee, elbow = ROBOT.joints.index("left_knee_joint"), ROBOT.joints.index("right_elbow_joint")
    bad = standing()
    # Its range ends at -1.0472, and 0.5 rad within 0.04 s are 12.5 rad/s, where 32 are allowed.
    bad.joint_pos[30, elbow] = -1.25
    quality = quality_of(bad, ROBOT, FEET)
    assert quality.limit_excess == (pytest.approx(0.2028, abs=1e-4), "right_elbow_joint", 1)
    assert "joint 'right_elbow_joint' is 0.203 rad outside its range, allowed 0.01" in quality.problems()
    bad = standing()
    # 0.8 rad in one frame, of which the central difference sees 0.4 in one: 20 rad/s, where the knee's motor makes 14.
    bad.joint_pos[30:, knee] += 0.8
    speed, fastest, joint = quality_of(bad, ROBOT, FEET).speed
    assert (speed, fastest, joint) == (pytest.approx(20.0), 14.0, "left_knee_joint")
    sunk = Motion(FPS, motion.root_pos - [0.0, 0.0, 0.05], motion.root_quat, motion.joint_pos)
    [told] = quality_of(sunk, ROBOT, FEET).problems()
    assert "the lower sole is -5" in told
    assert "--ground" in told
    sliding = motion.root_pos + np.outer(np.arange(61) / FPS, [0.5, 0.0, 0.0])
    quality = quality_of(Motion(FPS, sliding, motion.root_quat, motion.joint_pos), ROBOT, FEET)
    assert quality.slip_mps == pytest.approx((0.5, 0.5))
    assert quality.problems() == ["the soles slip at 0.50 m/s in half of the frames, allowed 0.15"]
    assert (quality.way_m, quality.seconds) == (pytest.approx(0.6), pytest.approx(1.2))
    # Nothing at rest carries it.
    assert quality.airborne == 1.0
