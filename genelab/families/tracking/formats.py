"""Reads motions of other programs, told apart by their content. Nothing is unpickled.

| content | columns or keys | quaternion | joints and links |
|---|---|---|---|
| csv without a header, or npy | x y z, quaternion, joints | x y z w or w x y z | order of the model |
| csv with a header | x, y, z, qw, qx, qy, qz, joints | by name | by name |
| csv of SEED | root_translateX, root_rotateX, JOINT_dof, ...; cm, degrees | turns about fixed x, y, z | by name |
| npz of mjlab, whole_body_tracking | fps, joint_pos, body_pos_w, body_quat_w | w x y z | depth or breadth first |
| npz of holosoma | the same, joint_names, body_names; in joint_pos the root comes first | w x y z | by name |
| a clip of genelab | | w x y z | by name |
"""

import csv
import math
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import JsonValue

from genelab.config.names import matching
from genelab.config.scene import RobotCfg
from genelab.errors import FileError
from genelab.families.tracking import quaternions as quat
from genelab.families.tracking.clip import Clip
from genelab.families.tracking.kinematics import Motion, link_poses, model_of, motion_of
from genelab.families.tracking.quaternions import Array

QuatOrder = Literal["wxyz", "xyzw"]
LinkOrder = Literal["depth-first", "breadth-first"]

SAME_M, NEAR_M = 0.001, 0.02
"""Links of a file may be so far from where the robot's model has them; up to the second distance with a warning."""
UPRIGHT, CLEARLY = 0.5, 0.1
"""A root stands up where the upward part of its z axis is above the first on average, and by the second above that
under another order of its quaternions. A robot that keeps its heading along x stands up under both."""
ROOT = ("x", "y", "z", "qw", "qx", "qy", "qz")
SEED_ROOT = tuple(f"root_{kind}{axis}" for kind in ("translate", "rotate") for axis in "XYZ")
COUNTERS = ("frame", "time")
"""Columns without a meaning for the motion, in any case."""

PICKLED = """is pickled, which could run code, so it is not opened. Convert it where it was made, for example
    import csv, joblib                             # or pickle.load, for a file of pickle.dump
    motion = joblib.load("{name}")
    if "root_rot" not in motion:                   # ASAP and PHC have an entry for each clip
        motion = next(iter(motion.values()))
    root = motion["root_pos" if "root_pos" in motion else "root_trans_offset"]
    joints = motion["dof_pos" if "dof_pos" in motion else "dof"]
    rows = [[*p, *q, *j] for p, q, j in zip(root, motion["root_rot"], joints)]
    csv.writer(open("{stem}.csv", "w")).writerows(rows)
    print("--quat xyzw --fps", motion["fps"])
and import the csv with these options."""
COMPRESSED = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b", b"BZ", b"\xfd7")
"""How pickles that joblib compressed begin: zlib, gzip, bzip2, LZMA."""


@dataclass(frozen=True)
class Given:
    """What the caller says of a file that the file does not."""

    fps: float | None = None
    """Frames per second."""
    quat: QuatOrder | None = None
    """Order of its quaternions."""
    order: LinkOrder | None = None
    """Order of its joints and links."""
    fill: bool = False
    """Whether joints that a smaller sister of the robot lacks take their default positions."""


@dataclass
class Found:
    """A motion as a file has it."""

    motion: Motion
    """With the joints of the robot, quaternions as in the file: of any length."""
    notes: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """How it was understood."""
    warnings: list[str] = field(default_factory=list[str])
    """One line each."""
    source: Clip | None = None
    """The clip, if it was one."""


def read_motion(path: Path, robot: RobotCfg, optional: Sequence[str], given: Given) -> Found:
    """Read a motion for a robot.

    Args:
        path: the file.
        robot: the robot.
        optional: name patterns of the joints that a smaller sister of the robot lacks.
        given: what the file does not say.

    Raises:
        InputError: if the file is none of those above, is no motion of the robot, or leaves something open that `given`
            does not say; names the file, and row and column where there are any.
    """
    if not path.is_file():
        raise FileError(path, "is no file" if path.exists() else "does not exist")
    found = _read(path, path.read_bytes(), _Reader(path, robot, optional, given))
    for option, value, note in (
        ("--quat", given.quat, "quat"),
        ("--order", given.order, "order"),
        ("--fill-wrists", given.fill, "filled"),
    ):
        if value and note not in found.notes:
            raise FileError(path, f"{option} has no effect on this {found.notes['format']}")
    return found


def _read(path: Path, content: bytes, reader: "_Reader") -> Found:
    if content[:4] == b"PK\x03\x04":
        return reader.npz()
    if content[:6] == b"\x93NUMPY":
        return reader.npy()
    if content[:1] == b"\x80" or content[:2] in COMPRESSED:
        raise FileError(path, PICKLED.format(name=path.name, stem=path.stem))
    if content[8:9] == b"{":
        return reader.clip()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(path, "is neither csv nor npz nor npy nor a clip") from error
    if text.lstrip().startswith("HIERARCHY"):
        raise FileError(path, "is a motion of a human (BVH): retarget it to the robot first")
    return reader.csv(text)


class _Reader:
    def __init__(self, path: Path, robot: RobotCfg, optional: Sequence[str], given: Given) -> None:
        self._path, self._robot, self._given = path, robot, given
        self._lacking = matching(optional, robot.joints, "joint")
        self._notes = dict[str, JsonValue]()

    def csv(self, text: str) -> Found:
        lines = [(n, row) for n, row in enumerate(csv.reader(text.splitlines()), 1) if any(map(str.strip, row))]
        if not lines:
            raise FileError(self._path, "is empty")
        names = None if all(map(_is_number, lines[0][1])) else [name.strip() for name in lines.pop(0)[1]]
        width = len(names or lines[0][1]) if lines else 0
        rows = np.empty((len(lines), width))
        for number, (line, row) in enumerate(lines):
            if len(row) != width:
                raise FileError(self._path, f"row {line} has {len(row)} columns, must be {width}")
            for column, cell in enumerate(row):
                if not _is_number(cell):
                    raise FileError(self._path, f"row {line}, column {column + 1}: {cell.strip()[:40]!r} is no number")
                rows[number, column] = float(cell)
        return self._plain(rows, "csv") if names is None else self._named(rows, names)

    def npy(self) -> Found:
        rows = self._load()
        if not isinstance(rows, np.ndarray) or rows.ndim != 2:
            raise FileError(self._path, "holds no array of two dimensions, frames and columns")
        return self._plain(_floats(self._path, "the array", rows), "npy")

    def npz(self) -> Found:
        if not zipfile.is_zipfile(self._path):
            raise FileError(self._path, "is torn: a zip file without an end")
        with zipfile.ZipFile(self._path) as archive:
            if any(name.endswith("data.pkl") for name in archive.namelist()):
                raise FileError(self._path, PICKLED.format(name=self._path.name, stem=self._path.stem))
        arrays = dict(self._load())
        if "poses" in arrays:
            raise FileError(self._path, "is a motion of a human (SMPL): retarget it to the robot first")
        for key in ("joint_pos", "body_pos_w", "body_quat_w"):
            if key not in arrays:
                raise FileError(self._path, f"has no '{key}'; it has: {', '.join(sorted(arrays)) or 'nothing'}")
        named = [key for key in ("joint_names", "body_names") if key in arrays]
        texts = {key: [str(name) for name in np.ravel(arrays[key])] for key in named}
        found = {k: _floats(self._path, f"'{k}'", arrays[k]) for k in ("joint_pos", "body_pos_w", "body_quat_w")}
        joints, pos, rot = found["joint_pos"], found["body_pos_w"], found["body_quat_w"]
        fit = joints.ndim == 2 and pos.shape[::2] == (len(joints), 3) and rot.shape == (*pos.shape[:2], 4)
        if not fit or not len(joints):
            shapes = ", ".join(f"{key} {value.shape}" for key, value in found.items())
            raise FileError(self._path, f"shapes do not fit each other: {shapes}")
        for key, value in found.items():
            if (wrong := np.argwhere(~np.isfinite(value))).size:
                place = ", ".join(str(index + 1) for index in wrong[0])
                raise FileError(self._path, f"'{key}' at {place} (frame first, from 1): must be finite")
        fps = self._fps(float(np.ravel(arrays["fps"])[0]) if "fps" in arrays else None)
        if len(named) == 2:
            return self._by_name(fps, joints, pos, rot, texts["joint_names"], texts["body_names"])
        return self._by_order(fps, joints, pos, rot)

    def clip(self) -> Found:
        clip = Clip.read(self._path)
        if (clip.info.joints, clip.info.model_sha256) != (self._robot.joints, self._robot.model_sha256):
            raise FileError(self._path, f"is a clip of another robot, {clip.info.model}")
        self._fps(clip.info.fps)
        return Found(motion_of(clip), {"format": "clip"}, source=clip)

    def _plain(self, rows: Array, kind: str) -> Found:
        joints = self._joints_of(rows.shape[1] - 7, rows.shape[1])
        motion = Motion(self._fps(None), rows[:, :3], rows[:, 3:7], self._filled(rows[:, 7:], joints))
        order = self._given.quat or self._quat_order(rows[:, 3:7])
        return Found(_wxyz(motion, order), {**self._notes, "format": kind, "quat": order})

    def _joints_of(self, count: int, columns: int) -> list[str]:
        """The joints that so many columns without names are."""
        joints = [*self._robot.joints]
        few = [joint for joint in joints if joint not in self._lacking]
        if count == len(few) and self._given.fill:
            return few
        if count == len(joints):
            return joints
        told = f"has {columns} columns, must be {7 + len(joints)}: x y z, a quaternion and {len(joints)} joints"
        if count == len(few):
            told += f"; --fill-wrists gives the {len(self._lacking)} joints that it lacks their default positions"
        raise FileError(self._path, told)

    def _quat_order(self, rows: Array) -> QuatOrder:
        """The order under which the root stands up."""
        ups: dict[QuatOrder, float] = {order: float(np.mean(_up(_turned(rows, order)))) for order in ("wxyz", "xyzw")}
        best, other = sorted(ups, key=lambda order: -ups[order])
        if not (ups[best] > UPRIGHT and ups[best] - ups[other] > CLEARLY):
            many = "both orders" if ups[other] > UPRIGHT else "no order"
            told = f"the root stands up under {many} of quaternions: give --quat xyzw or --quat wxyz"
            raise FileError(self._path, told)
        return best

    def _named(self, rows: Array, names: list[str]) -> Found:
        if len({*names}) != len(names):
            raise FileError(self._path, f"column '{next(n for n in names if names.count(n) > 1)}' stands there twice")
        seed = SEED_ROOT[0] in names
        root = SEED_ROOT if seed else ROOT
        columns = {name.removesuffix("_dof"): rows[:, k] for k, name in enumerate(names)}
        unknown = [n for n in columns if n not in (*root, *self._robot.joints) and n.lower() not in COUNTERS]
        if unknown:
            told = f"column '{unknown[0]}' is neither a joint of the robot nor one of {', '.join(root)}"
            raise FileError(self._path, told)
        if missing := [name for name in root if name not in columns]:
            raise FileError(self._path, f"column '{missing[0]}' is missing")
        present = self._present(columns)
        pos, turned = (np.column_stack([columns[n] for n in part]) for part in (root[:3], root[3:]))
        values = self._filled(np.column_stack([columns[joint] for joint in present]), present, degrees=seed)
        if seed:
            pos, turned = pos / 100.0, quat.euler_xyz(np.radians(turned))
        kind = "csv of SEED, cm and degrees" if seed else "csv with a header"
        return Found(Motion(self._fps(None), pos, turned, values), {**self._notes, "format": kind})

    def _present(self, names: Collection[str]) -> list[str]:
        """The robot's joints among some names, if none is missing that must be there."""
        missing = [name for name in self._robot.joints if name not in names]
        if missing and not (self._given.fill and {*missing} <= {*self._lacking}):
            hint = "; --fill-wrists gives it its default position" if {*missing} <= {*self._lacking} else ""
            raise FileError(self._path, f"joint '{missing[0]}' is missing{hint}")
        return [name for name in self._robot.joints if name in names]

    def _filled(self, values: Array, names: Sequence[str], *, degrees: bool = False) -> Array:
        """Values of all joints of the robot, from those of some."""
        if degrees:
            values = np.radians(values)
        whole = np.tile([self._robot.default_of(joint) for joint in self._robot.joints], (len(values), 1))
        whole[:, [self._robot.joints.index(name) for name in names]] = values
        if filled := [name for name in self._robot.joints if name not in names]:
            self._notes["filled"] = [*filled]
        return whole

    def _by_name(
        self, fps: float, joints: Array, pos: Array, rot: Array, joint_names: list[str], body_names: list[str]
    ) -> Found:
        if len(body_names) != pos.shape[1] or joints.shape[1] not in (len(joint_names), len(joint_names) + 7):
            raise FileError(
                self._path,
                f"has {len(joint_names)} joint_names and {len(body_names)} body_names for {joints.shape[1]} columns of "
                f"joint_pos and {pos.shape[1]} bodies",
            )
        # The root, whose pose stands in the bodies as well, may come first.
        values = joints[:, joints.shape[1] - len(joint_names) :]
        present, base = self._present(joint_names), self._robot.links[0]
        if base not in body_names:
            raise FileError(self._path, f"link '{base}' is missing in body_names")
        whole = self._filled(values[:, [joint_names.index(name) for name in present]], present)
        root = body_names.index(base)
        motion = Motion(fps, pos[:, root], rot[:, root], whole)
        links = [name for name in self._robot.links if name in body_names]
        off = self._off(motion, links, pos[:, [body_names.index(name) for name in links]])
        return self._judged(motion, {"by their names": off}, "by their names", {"format": "npz with names"})

    def _by_order(self, fps: float, joints: Array, pos: Array, rot: Array) -> Found:
        if joints.shape[1] != len(self._robot.joints) or pos.shape[1] != len(self._robot.links):
            raise FileError(
                self._path,
                f"has {joints.shape[1]} joints and {pos.shape[1]} bodies without names, must be "
                f"{len(self._robot.joints)} and {len(self._robot.links)}",
            )
        orders: dict[LinkOrder, tuple[list[str], list[str]]] = {
            "depth-first": ([*self._robot.joints], [*self._robot.links]),
            "breadth-first": breadth_first(self._robot),
        }
        motions, off = dict[str, Motion](), dict[str, float]()
        for order, (joint_names, links) in orders.items():
            motions[order] = Motion(fps, pos[:, 0], rot[:, 0], self._filled(joints, joint_names))
            off[order] = self._off(motions[order], links, pos)
        best = self._given.order or min(off, key=lambda order: off[order])
        return self._judged(motions[best], off, best, {"format": "npz without names", "order": best})

    def _judged(self, motion: Motion, off: Mapping[str, float], order: str, notes: dict[str, JsonValue]) -> Found:
        """The motion, if the links of the file are where the model has them."""
        if off[order] > NEAR_M:
            told = f"with joints and links {order}, links are up to {off[order]:.3g} m from where the model has them"
            fits = [other for other, distance in off.items() if distance <= NEAR_M]
            others = "".join(f", {other} {distance:.3g} m" for other, distance in off.items() if other != order)
            hint = f"; {fits[0]} fits: --order {fits[0]}" if fits else f"{others}: it is of another robot or model"
            raise FileError(self._path, told + hint)
        notes |= {**self._notes, "links_off_m": float(f"{off[order]:.3g}")}
        told = f"links are up to {1e3 * off[order]:.2g} mm from where the model has them; computed anew"
        return Found(motion, notes, [told] if off[order] > SAME_M else [])

    def _off(self, motion: Motion, links: Sequence[str], pos: Array) -> float:
        """Largest distance of a link from where the model has it, m; infinite if something is not finite."""
        norm = np.linalg.norm(motion.root_quat, axis=1, keepdims=True)
        if not (np.isfinite(motion.qpos).all() and np.isfinite(pos).all() and (norm > 0.0).all()):
            return math.inf
        unit = Motion(motion.fps, motion.root_pos, motion.root_quat / norm, motion.joint_pos)
        return float(np.linalg.norm(link_poses(model_of(self._robot), unit, links)[0] - pos, axis=2).max())

    def _fps(self, of_file: float | None) -> float:
        asked = self._given.fps
        if of_file is None:
            if asked is None:
                told = "does not say how many frames it has a second: give --fps (LAFAN1 of Unitree: 30)"
                raise FileError(self._path, told)
            return asked
        if asked is not None and asked != of_file:
            raise FileError(self._path, f"--fps {asked:g}: the file says fps = {of_file:g}")
        if not (math.isfinite(of_file) and of_file > 0.0):
            raise FileError(self._path, f"fps = {of_file:g}: must be above 0")
        return of_file

    def _load(self) -> Any:
        try:
            found = np.load(self._path, allow_pickle=False)
            # An archive reads its arrays later, and they may be pickled.
            return {key: found[key] for key in found.files} if hasattr(found, "files") else found
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise FileError(self._path, f"cannot be read: {' '.join(str(error).split())[:200]}") from error


def breadth_first(robot: RobotCfg) -> tuple[list[str], list[str]]:
    """Joints and links of a robot, level by level from the root, as IsaacLab has them."""
    model, links = model_of(robot), [*robot.links]
    depth = {0: 0}
    for body in range(1, model.nbody):
        depth[body] = depth[int(model.body_parentid[body])] + 1
    ordered = sorted(range(1, model.nbody), key=lambda body: depth[body])
    joint_of = {int(model.jnt_bodyid[k]): model.joint(k).name for k in range(1, model.njnt)}
    return [joint_of[body] for body in ordered if body in joint_of], [links[body - 1] for body in ordered]


def _up(rotations: Array) -> Array:
    """How far the z axis points up, -1 to 1. Shape: (frames, 4) -> (frames,)."""
    return 1.0 - 2.0 * (rotations[:, 1] ** 2 + rotations[:, 2] ** 2)


def _turned(rows: Array, order: QuatOrder) -> Array:
    return rows if order == "wxyz" else rows[:, [3, 0, 1, 2]]


def _wxyz(motion: Motion, order: QuatOrder) -> Motion:
    return Motion(motion.fps, motion.root_pos, _turned(motion.root_quat, order), motion.joint_pos)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _floats(path: Path, what: str, array: Any) -> Array:
    if array.dtype.kind not in "fiu":
        raise FileError(path, f"{what} holds {array.dtype}, must be numbers")
    return array.astype(np.float64)
