"""Every file here is made by these tests: clips of others may not be shipped."""

import csv
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from genelab.errors import InputError
from genelab.families.tracking.formats import Given, breadth_first
from genelab.families.tracking.importing import Import, Imported, import_clip
from genelab.families.tracking.kinematics import Motion, link_poses, model_of, motion_of, resampled
from genelab.families.tracking.making import make_clip
from tests.families.tracking.g1 import FPS, MOTIONS, ROBOT, lively, standing

JOINTS, LINKS = [*ROBOT.joints], [*ROBOT.links]


def load(path: Path, *, asked: Import | None = None, **given: object) -> Imported:
    return import_clip(path, ROBOT, MOTIONS, FPS, asked or Import(Given(**given)))  # pyright: ignore[reportArgumentType]


def turned(motion: Motion, degrees: float = 40.0) -> Motion:
    """Turned about z, so that the order of its quaternions shows."""
    yaw = Rotation.from_euler("z", degrees, degrees=True)
    rot = (yaw * Rotation.from_quat(motion.root_quat[:, [1, 2, 3, 0]])).as_quat()[:, [3, 0, 1, 2]]
    return Motion(motion.fps, yaw.apply(motion.root_pos), rot, motion.joint_pos.copy())


def rows_of(motion: Motion, order: str = "xyzw") -> np.ndarray:
    rot = motion.root_quat[:, [1, 2, 3, 0]] if order == "xyzw" else motion.root_quat
    return np.hstack([motion.root_pos, rot, motion.joint_pos])


def write_csv(path: Path, rows: np.ndarray, header: list[str] | None = None) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(header)
        writer.writerows(rows.tolist())
    return path


def write_npz(path: Path, motion: Motion, joints: list[str], links: list[str], **more: object) -> Path:
    pos, rot = link_poses(model_of(ROBOT), motion, links)
    arrays = {
        "fps": np.array([motion.fps]),
        "joint_pos": motion.joint_pos[:, [JOINTS.index(name) for name in joints]],
        "joint_vel": np.zeros((motion.frames, len(joints))),
        "body_pos_w": pos,
        "body_quat_w": rot,
        "body_lin_vel_w": np.zeros_like(pos),
        "body_ang_vel_w": np.zeros_like(pos),
    } | more
    np.savez(path, **{key: np.asarray(value) for key, value in arrays.items() if value is not None})
    return path


def distance(found: Imported, motion: Motion) -> float:
    """Largest difference of joints, root's place and axes."""
    mine, theirs = motion_of(found.clip), motion
    spins = [Rotation.from_quat(m.root_quat[:, [1, 2, 3, 0]]) for m in (mine, theirs)]
    return float(
        max(
            np.abs(mine.joint_pos - theirs.joint_pos).max(),
            np.abs(mine.root_pos - theirs.root_pos).max(),
            (spins[0] * spins[1].inv()).magnitude().max(),
        )
    )


@pytest.mark.parametrize("order", ["xyzw", "wxyz"])
def test_csv_without_a_header(tmp_path: Path, order: str):
    """As Unitree's LAFAN1: 36 columns at 30 frames a second, which the file does not say."""
    motion = resampled(turned(lively()), 30.0)
    path = write_csv(tmp_path / "walk.csv", rows_of(motion, order))
    found = load(path, fps=30.0)
    assert distance(found, resampled(motion, FPS)) < 2e-6
    assert found.clip.info.options == {"format": "csv", "quat": order, "input_fps": 30.0, "range": None, "lift_m": 0.0}
    assert (found.clip.info.name, found.clip.info.source, found.clip.info.licence) == (
        "walk",
        "not stated",
        "not stated",
    )
    with pytest.raises(InputError, match=r"walk.csv': does not say how many frames it has a second: give --fps"):
        load(path)


def test_npy_of_the_same_columns(tmp_path: Path):
    np.save(tmp_path / "a.npy", rows_of(turned(lively())))
    assert distance(load(tmp_path / "a.npy", fps=FPS), turned(lively())) < 2e-6


def test_quaternions_that_could_be_either_are_asked_for(tmp_path: Path):
    """A robot that faces x stands up under both orders, the other way round under the wrong one."""
    path = write_csv(tmp_path / "a.csv", rows_of(standing()))
    with pytest.raises(
        InputError, match=r"stands up under both orders of quaternions: give --quat xyzw or --quat wxyz"
    ):
        load(path, fps=FPS)
    assert distance(load(path, fps=FPS, quat="xyzw"), standing()) < 2e-6


def test_csv_with_a_header_goes_by_names(tmp_path: Path):
    """Columns in another order, and one that counts frames."""
    names = ["x", "y", "z", "qw", "qx", "qy", "qz", *JOINTS]
    rows = rows_of(lively(), "wxyz")
    mixed = np.random.default_rng(0).permutation(36)
    header = ["Frame", *(names[k] for k in mixed)]
    path = write_csv(tmp_path / "a.csv", np.column_stack([np.arange(len(rows)), rows[:, mixed]]), header)
    assert distance(load(path, fps=FPS), lively()) < 2e-6
    path.write_text(path.read_text().replace("left_knee_joint", "left_kne_joint", 1))
    with pytest.raises(
        InputError, match=r"a.csv': column 'left_kne_joint' is neither a joint of the robot nor one of x"
    ):
        load(path, fps=FPS)
    write_csv(path, rows[:, :-1], names[:-1])
    with pytest.raises(InputError, match="joint 'right_wrist_yaw_joint' is missing; --fill-wrists gives it"):
        load(path, fps=FPS)


def test_csv_of_seed_is_in_centimetres_and_degrees(tmp_path: Path):
    motion = turned(lively())
    euler = Rotation.from_quat(motion.root_quat[:, [1, 2, 3, 0]]).as_euler("xyz", degrees=True)
    rows = np.column_stack([np.arange(motion.frames), 100 * motion.root_pos, euler, np.degrees(motion.joint_pos)])
    root = [f"root_{kind}{axis}" for kind in ("translate", "rotate") for axis in "XYZ"]
    path = write_csv(tmp_path / "a.csv", rows, ["Frame", *root, *(f"{joint}_dof" for joint in JOINTS)])
    assert distance(load(path, fps=FPS), motion) < 2e-6


@pytest.mark.parametrize("order", ["depth-first", "breadth-first"])
def test_npz_without_names_is_told_apart_by_the_robots_own_links(tmp_path: Path, order: str):
    """mjlab writes depth first, whole_body_tracking breadth first, with the same keys and shapes."""
    names = (JOINTS, LINKS) if order == "depth-first" else breadth_first(ROBOT)
    path = write_npz(tmp_path / "a.npz", lively(), *names)
    found = load(path)
    assert distance(found, lively()) < 2e-6
    assert found.warnings == []
    assert found.clip.info.options["order"] == order
    assert float(str(found.clip.info.options["links_off_m"])) < 1e-4
    assert found.clip.info.joints == ROBOT.joints
    other = "breadth-first" if order == "depth-first" else "depth-first"
    told = rf"with joints and links {other}, links are up to \d\.\d+ m from .*; {order} fits: --order {order}"
    with pytest.raises(InputError, match=told):
        load(path, order=other)


def test_breadth_first_goes_level_by_level():
    joints, links = breadth_first(ROBOT)
    assert joints[:4] == ["left_hip_pitch_joint", "right_hip_pitch_joint", "waist_yaw_joint", "left_hip_roll_joint"]
    assert links[:3] == ["pelvis", "left_hip_pitch_link", "right_hip_pitch_link"]
    assert links[-2:] == ["left_wrist_yaw_link", "right_wrist_yaw_link"]


def test_links_that_are_a_little_off_are_computed_anew(tmp_path: Path):
    pos, _ = link_poses(model_of(ROBOT), lively(), LINKS)
    near, far = pos.copy(), pos.copy()
    near[:, 5, 0] += 0.01
    far[:, 5, 0] += 0.03
    found = load(write_npz(tmp_path / "a.npz", lively(), JOINTS, LINKS, body_pos_w=near))
    assert found.warnings == ["links are up to 10 mm from where the model has them; computed anew"]
    assert found.clip.link_pos_w[:, 5] == pytest.approx(pos[:, 5], abs=1e-5)
    with pytest.raises(
        InputError, match=r"depth-first, links are up to 0.03 m .*breadth-first \d.*another robot or model"
    ):
        load(write_npz(tmp_path / "a.npz", lively(), JOINTS, LINKS, body_pos_w=far))


def test_npz_of_holosoma_goes_by_names(tmp_path: Path):
    """Its joint_pos has the root before the joints, its bodies begin with the world and hold some that are no links."""
    motion = lively()
    joints, links = breadth_first(ROBOT)
    pos, rot = link_poses(model_of(ROBOT), motion, links)
    more = {
        "joint_pos": np.hstack([motion.qpos[:, :7], motion.joint_pos[:, [JOINTS.index(name) for name in joints]]]),
        "body_pos_w": np.concatenate([np.zeros((motion.frames, 1, 3)), pos, pos[:, :1] + 1.0], 1),
        "body_quat_w": np.concatenate([rot[:, :1], rot, rot[:, :1]], 1),
        "joint_names": np.array(joints),
        "body_names": np.array(["world", *links, "left_hand"]),
    }
    path = write_npz(tmp_path / "a.npz", motion, joints, links, **more)
    assert distance(load(path), motion) < 2e-6
    more["joint_names"] = np.array([*joints[::-1]])
    with pytest.raises(
        InputError, match=r"by their names, links are up to \d\.\d+ m from where the model has them: it is"
    ):
        load(write_npz(path, motion, joints, links, **more))
    more["joint_names"] = np.array(["left_hip", *joints[1:]])
    with pytest.raises(InputError, match="joint 'left_hip_pitch_joint' is missing$"):
        load(write_npz(path, motion, joints, links, **more))


def test_a_clip_is_imported_again_to_the_byte_but_for_where_it_comes_from(tmp_path: Path):
    clip = make_clip("sway", ROBOT, MOTIONS, FPS)
    (tmp_path / "sway").write_bytes(clip.encode())
    found = load(tmp_path / "sway").clip
    assert np.array_equal(found.joint_pos, clip.joint_pos)
    assert (found.info.name, found.info.source, found.info.licence) == ("sway", "genelab motion make", "Apache-2.0")


def test_the_same_file_and_options_give_the_same_bytes(tmp_path: Path):
    path = write_csv(tmp_path / "a.csv", rows_of(turned(lively())))
    asked = Import(Given(fps=30.0), (1, 100), ground=True, source="here", licence="CC0")
    assert load(path, asked=asked).clip.encode() == load(path, asked=asked).clip.encode()


def test_a_range_counts_frames_from_1_and_takes_both_ends(tmp_path: Path):
    motion = turned(lively())
    path = write_csv(tmp_path / "a.csv", rows_of(motion))
    found = load(path, asked=Import(Given(fps=FPS), (11, 80))).clip
    assert found.frames == 70
    assert found.joint_pos[[0, -1]] == pytest.approx(motion.joint_pos[[10, 79]], abs=1e-6)
    for frames in ((0, 80), (1, 152), (80, 11)):
        with pytest.raises(InputError, match=rf"--range {frames[0]}:{frames[1]}: must be FIRST:LAST within 1:151"):
            load(path, asked=Import(Given(fps=FPS), frames))


def test_an_option_without_effect_is_an_error(tmp_path: Path):
    path = write_npz(tmp_path / "a.npz", lively(), JOINTS, LINKS)
    for given, told in (({"quat": "wxyz"}, "--quat"), ({"fill": True}, "--fill-wrists")):
        with pytest.raises(InputError, match=f"{told} has no effect on this npz without names"):
            load(path, **given)
    path = write_csv(tmp_path / "a.csv", rows_of(turned(lively())))
    with pytest.raises(InputError, match="--order has no effect on this csv"):
        load(path, fps=FPS, order="depth-first")


def test_ground_lifts_by_one_constant(tmp_path: Path):
    """A retargeting that floats or sinks is told, and put on the ground only when asked."""
    motion = turned(lively())
    sunk = Motion(FPS, motion.root_pos - [0.0, 0.0, 0.05], motion.root_quat, motion.joint_pos)
    path = write_csv(tmp_path / "a.csv", rows_of(sunk))
    found = load(path, fps=FPS)
    assert found.quality.sole_m == pytest.approx((-0.05, -0.05, -0.05), abs=1e-4)
    assert any("--ground" in problem for problem in found.quality.problems())
    found = load(path, asked=Import(Given(fps=FPS), ground=True))
    assert distance(found, motion) < 1e-5
    assert found.quality.problems() == []
    assert found.clip.info.options["lift_m"] == pytest.approx(0.05, abs=1e-4)


def test_a_robot_without_wrists(tmp_path: Path):
    """23 joints: those of the G1 without its six wrists, which then keep their default positions."""
    few = [k for k, name in enumerate(JOINTS) if "wrist" not in name]
    motion = turned(lively())
    path = write_csv(tmp_path / "a.csv", rows_of(motion)[:, [*range(7), *(7 + k for k in few)]])
    with pytest.raises(
        InputError, match=r"has 30 columns, must be 36: .*; --fill-wrists gives the 6 joints that it lacks"
    ):
        load(path, fps=FPS)
    found = load(path, fps=FPS, fill=True)
    assert distance(found, motion) < 2e-6
    assert found.clip.info.options["filled"] == [name for name in JOINTS if "wrist" in name]
    with pytest.raises(InputError, match="has 29 columns, must be 36: x y z, a quaternion and 29 joints$"):
        load(write_csv(path, rows_of(motion)[:, :29]), fps=FPS, fill=True)


def changed(frame: int, column: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(rows: np.ndarray) -> np.ndarray:
        rows[frame, column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (changed(4, 10, np.nan), "frame 5, left_knee_joint = nan: must be finite"),
        (changed(4, 2, np.inf), "frame 5, z = inf: must be finite"),
        (lambda rows: rows[:40], "40 frames at 50 a second are shorter than 1 s"),
        (changed(9, 6, 1.5), "frame 10: the quaternion has the length 1.5"),
        (lambda rows: rows + np.outer(np.arange(len(rows)) > 60, np.eye(36)[1]), "frame 62: the root jumps by 1 m"),
        (lambda rows: rows * np.where(np.arange(36) < 3, 100.0, 1.0), "frame 1, z = 7.*looks like centimetres"),
        (lambda rows: rows * np.where(np.arange(36) > 6, 57.3, 1.0), "_joint = .*looks like degrees, must be radians"),
    ],
)
def test_what_can_be_no_motion_is_refused_with_its_place(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], told: str
):
    path = write_csv(tmp_path / "a.csv", change(rows_of(turned(lively()))))
    with pytest.raises(InputError, match=f"a.csv': .*{told}"):
        load(path, fps=FPS, quat="xyzw")


def test_bad_numbers_in_a_csv_are_told_with_row_and_column(tmp_path: Path):
    lines = write_csv(tmp_path / "a.csv", rows_of(turned(lively()))).read_text().splitlines()
    path = tmp_path / "b.csv"
    path.write_text("\n".join([*lines[:6], lines[6].replace(",", ",oops", 1), *lines[7:]]))
    with pytest.raises(InputError, match="b.csv': row 7, column 2: 'oops.*' is no number"):
        load(path, fps=FPS)
    path.write_text("\n".join([*lines[:6], lines[6] + ",1", *lines[7:]]))
    with pytest.raises(InputError, match="row 7 has 37 columns, must be 36"):
        load(path, fps=FPS)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("unpickled"),)


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither a pickle by itself nor one within an npz, whose own message would be of numpy."""
    monkeypatch.chdir(tmp_path)
    Path("a.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(
        InputError, match=r"a.pkl': is pickled, which could run code(.|\n)*print\(\"--quat xyzw --fps\""
    ):
        load(Path("a.pkl"))
    path = write_npz(Path("a.npz"), lively(), JOINTS, LINKS, joint_pos=np.array([Evil()], dtype=object))
    with pytest.raises(InputError, match="a.npz': cannot be read: Object arrays"):
        load(path)
    assert not Path("unpickled").exists()


def test_the_lines_that_convert_a_pickle_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As printed, but for joblib, which reads what pickle writes."""
    monkeypatch.chdir(tmp_path)
    motion = turned(lively())
    few = [k for k, name in enumerate(JOINTS) if "wrist" not in name]
    rot = motion.root_quat[:, [1, 2, 3, 0]]
    gmr = {"fps": 50, "root_pos": motion.root_pos, "root_rot": rot, "dof_pos": motion.joint_pos}
    asap = {
        "a clip": {"root_trans_offset": motion.root_pos, "root_rot": rot, "dof": motion.joint_pos[:, few], "fps": 50}
    }
    for data in (gmr, asap):
        Path("a.pkl").write_bytes(pickle.dumps(data))
        with pytest.raises(InputError) as error:
            load(Path("a.pkl"))
        lines = [line.removeprefix("    ") for line in str(error.value).splitlines() if line.startswith("    ")]
        script = "\n".join(lines).replace("joblib.load(", "pickle.load(open(").replace('.pkl")', '.pkl", "rb"))')
        exec(script.replace("import csv, joblib", "import csv, pickle"), {})
        assert distance(load(Path("a.csv"), fps=50.0, quat="xyzw", fill=data is asap), motion) < 2e-6


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.bvh", b"HIERARCHY\nROOT Hips\n", r"is a motion of a human \(BVH\): retarget it"),
        ("a.csv", b"", "is empty"),
        ("a.npz", b"PK\x03\x04torn", "is torn"),
        ("a.bin", b"\xff\xfe\x00\x01" * 9, "is neither csv nor npz nor npy nor a clip"),
        ("a.npy", b"\x93NUMPY\x01\x00", "cannot be read"),
    ],
)
def test_other_files_are_told_what_they_are(tmp_path: Path, name: str, content: bytes, told: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}': {told}"):
        load(tmp_path / name, fps=30.0)


def test_files_that_lack_something(tmp_path: Path):
    with pytest.raises(InputError, match=r"none.csv': does not exist"):
        load(tmp_path / "none.csv")
    np.savez(tmp_path / "a.npz", poses=np.zeros((9, 3)))
    with pytest.raises(InputError, match=r"a motion of a human \(SMPL\)"):
        load(tmp_path / "a.npz")
    arrays = write_npz(tmp_path / "a.npz", lively(), JOINTS, LINKS)
    np.savez(tmp_path / "b.npz", **{key: np.load(arrays)[key] for key in ("joint_pos", "body_quat_w")})
    with pytest.raises(InputError, match="has no 'body_pos_w'; it has: body_quat_w, joint_pos"):
        load(tmp_path / "b.npz")
    with pytest.raises(InputError, match="--fps 30: the file says fps = 50"):
        load(arrays, fps=30.0)
    with pytest.raises(InputError, match="has 28 joints and 30 bodies without names, must be 29 and 30"):
        load(write_npz(arrays, lively(), JOINTS[1:], LINKS))
