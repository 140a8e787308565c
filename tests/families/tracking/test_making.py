import mujoco
import numpy as np
import pytest

from genelab.errors import InputError
from genelab.families.tracking import making
from genelab.families.tracking import quaternions as quat
from genelab.families.tracking.dynamics import Dynamics
from genelab.families.tracking.kinematics import model_of, motion_of
from genelab.families.tracking.making import made, make_clip, plan_of
from genelab.families.tracking.quality import quality_of
from genelab.families.tracking.recipes import StandCfg, WalkCfg, WaveCfg, motions_of
from genelab.registry import get_task
from tests.families.tracking.g1 import FPS, MOTIONS, ROBOT, clip_motion

FEET = MOTIONS.feet
WALKS = [name for name, recipe in MOTIONS.clips.items() if isinstance(recipe, WalkCfg)]


def stands(plan: making.Plan) -> np.ndarray:
    """Which foot does not move in the plan, from a frame to the next. Shape: (frames - 1, 2)."""
    moves = np.abs(np.diff(plan.feet_pos, axis=0)).max(2) + np.abs(np.diff(plan.feet_yaw, axis=0))
    return moves == 0.0


@pytest.mark.parametrize("name", MOTIONS.clips)
@pytest.mark.slow
def test_a_made_clip_can_be_done(name: str):
    """Feet as planned, within ranges and the motors' speeds and torques, and on its feet to the last frame."""
    motion, plan = clip_motion(name), plan_of(MOTIONS.clips[name], ROBOT, FEET, FPS)
    dynamics, quality = Dynamics(ROBOT, FEET, motion), quality_of(motion, ROBOT, FEET)
    pos, rot = dynamics.foot_poses
    assert pos == pytest.approx(plan.feet_pos, abs=1e-5)
    assert np.abs(quat.log(quat.multiply(rot, quat.conjugate(quat.yaw(plan.feet_yaw))))).max() < 1e-5
    standing = stands(plan)
    assert standing.any(1).all()
    assert np.abs(np.diff(pos, axis=0))[standing].max() < 1e-5
    assert dynamics.sole_heights[1:][standing] == pytest.approx(0.0, abs=1e-5)
    assert dynamics.sole_heights.min() > -1e-5
    ranges = np.array([ROBOT.range_of(joint) for joint in ROBOT.joints])
    assert np.minimum(motion.joint_pos - ranges[:, 0], ranges[:, 1] - motion.joint_pos).min() > 0.05
    assert quality.problems() == []
    assert quality.effort[0] < 0.8
    # Rubber on a floor has more than twice of that.
    assert quality.friction < 0.4
    # The true zero-moment point, of all bodies, where the plan wants it: 20 mm within the feet that stand, or more.
    assert np.abs(dynamics.zmp - plan.zmp).max() < 0.002
    assert quality.margin_m[0] > 0.02
    assert (quality.outside, quality.airborne) == (0.0, 0.0)
    # It begins and ends at rest, near the default pose.
    assert np.abs(np.diff(motion.qpos, axis=0)[[0, -1]]).max() < 1e-3
    assert quality.start_rad[0] < 0.015
    assert quality.start_m == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("name", ["squat", "wave", "walk", "turn", "side_step"])
def test_a_made_clip_keeps_the_limbs_apart(name: str):
    """Only links touch that touch in the neutral pose already, which simulators let pass through each other."""
    model = model_of(ROBOT)
    data = mujoco.MjData(model)

    def touching(qpos: np.ndarray) -> set[frozenset[int]]:
        data.qpos[:] = qpos
        mujoco.mj_forward(model, data)
        return {frozenset(int(model.geom_bodyid[geom]) for geom in contact.geom) for contact in data.contact}

    motion = clip_motion(name)
    neutral = touching(np.concatenate([motion.qpos[0, :7], np.zeros(29)]))
    assert len(neutral) == 4
    assert all(touching(qpos) <= neutral for qpos in motion.qpos[::5])


def test_without_the_true_zero_moment_point_a_walk_would_fall():
    """What the correction is for: of a point mass alone, the walk leaves its feet."""
    plan = plan_of(MOTIONS.clips["walk"], ROBOT, FEET, FPS)
    shares = []
    for passes in (1, making.PASSES):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(making, "PASSES", passes)
            if passes == 1:
                patch.setattr(making, "CLOSE_M", np.inf)
            shares.append(quality_of(making.balanced(plan, ROBOT, FEET), ROBOT, FEET).margin_m[0])
    assert shares[0] < -0.03
    assert shares[1] > 0.02


def test_walks_cover_their_way():
    """30 steps of 0.32 s, of which the last closes the feet: 29 x 0.32 s x 0.55 m/s. The others by the same sum."""
    ways = {name: clip_motion(name).root_pos[-1] - clip_motion(name).root_pos[0] for name in WALKS}
    assert ways["walk"] == pytest.approx([29 * 0.32 * 0.55, 0.0, 0.0], abs=6e-3)
    assert ways["slow_walk"] == pytest.approx([17 * 0.5 * 0.3, 0.0, 0.0], abs=6e-3)
    assert ways["side_step"] == pytest.approx([0.0, 17 * 0.5 * 0.15, 0.0], abs=6e-3)
    assert ways["step_in_place"] == pytest.approx([0.0, 0.0, 0.0], abs=6e-3)
    [turned] = quat.log(clip_motion("turn").root_quat[-1:])
    assert turned == pytest.approx([0.0, 0.0, 17 * 0.5 * 0.4 - 2.0 * np.pi], abs=0.03)


@pytest.mark.parametrize(
    ("forward", "left", "turn"), [(0.5, 0.2, 0.6), (-0.4, 0.0, 0.0), (0.0, -0.3, 0.0), (0.2, 0.0, -0.8)]
)
@pytest.mark.slow
def test_any_command_is_walked_on_its_feet(forward: float, left: float, turn: float):
    """At a constant velocity in its own frame the robot goes on a circle, whose chord is known."""
    recipe = WalkCfg(seconds=4.0, forward=forward, left=left, turn=turn, stride=0.8, double=0.25, lift=0.05, lower=0.03)
    motion = made(recipe, ROBOT, FEET, FPS)
    assert quality_of(motion, ROBOT, FEET).margin_m[0] > 0.02
    assert quality_of(motion, ROBOT, FEET).problems() == []
    plan, time = plan_of(recipe, ROBOT, FEET, FPS), 9 * 0.4
    middle = plan.feet_pos[-1].mean(0)
    chord = np.hypot(forward, left) * (2.0 / turn * np.sin(turn * time / 2.0) if turn else time)
    assert np.hypot(*middle[:2]) == pytest.approx(abs(chord), rel=1e-9)
    assert plan.yaw[-1] == pytest.approx(turn * time)


def test_the_same_name_gives_the_same_bytes():
    one, other = (make_clip("sway", ROBOT, MOTIONS, FPS).encode() for _ in range(2))
    assert one == other


def test_a_made_clip_says_what_it_is():
    clip = make_clip("wave", ROBOT, MOTIONS, FPS)
    assert (clip.info.source, clip.info.licence, clip.info.input_sha256) == ("genelab motion make", "Apache-2.0", None)
    assert clip.seconds == pytest.approx(8.0)
    hand, head = (clip.info.links.index(name) for name in ("right_wrist_yaw_link", "torso_link"))
    assert clip.link_pos_w[200, hand, 2] > clip.link_pos_w[200, head, 2] + 0.3
    assert quality_of(motion_of(clip), ROBOT, FEET).outside == 0.0


def test_what_the_robot_cannot_do_is_told():
    with pytest.raises(InputError, match=r"clip 'wlk': is none of those that can be made: squat, sway"):
        make_clip("wlk", ROBOT, MOTIONS, FPS)
    with pytest.raises(InputError, match=r"the (left|right) foot is out of reach by \d+\.\d mm"):
        made(StandCfg(seconds=3.0, lower=WaveCfg(size=-0.2, shape="hold")), ROBOT, FEET, FPS)
    with pytest.raises(InputError, match=r"genelab_unitree:models/go1.xml': no clips are known"):
        motions_of(get_task("Genelab-Velocity-Flat-Unitree-Go1-v0").env.robot)
