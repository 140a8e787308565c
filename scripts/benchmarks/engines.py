"""The same motions in both simulators: a table for docs/guides/engines.md.

A cube that is dropped, one on a slope below and above its angle of friction, a leg that is told to move, a robot that
stands, and wheels that drive.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.common import FRANKA, SEED, UNITREE
from genelab.config.env import EnvCfg
from genelab.mdp.state import StateWrite
from genelab.registry import get_task
from genelab.sim.engine import Engine
from genelab.sim.make import make_engine, start
from genelab.sim.session import Session

GO1, _, GO2W = UNITREE
ENGINES = ("genesis", "mujoco")
Row = tuple[str, str, float]
"""Name, unit, value."""


def scene(task: str, session: Session, *, friction: float = 1.0, **sim: object) -> tuple[EnvCfg, Engine]:
    """Two environments of a task, with this friction of ground and objects, and these changes of `env.sim`."""
    env = get_task(task).env
    objects = {name: box.model_copy(update={"friction": friction}) for name, box in env.objects.items()}
    if env.objects:
        env = env.model_copy(
            update={"objects": objects, "ground": env.ground.model_copy(update={"friction": friction})}
        )
    env = env.model_copy(
        update={"sim": env.sim.model_copy(update={"engine": session.engine, **sim}), "randomizations": {}}
    )
    return env, make_engine(env, 2, session)


def everywhere(engine: Engine) -> Tensor:
    """All environments."""
    return torch.ones(engine.num_envs, dtype=torch.bool)


def put_cube(engine: Engine, height: float) -> None:
    """The cube of the Franka's task, far from the robot, its centre at a height, m."""
    engine.reset(everywhere(engine))
    pose = torch.tensor([-1.0, 1.0, height, 1.0, 0.0, 0.0, 0.0]).expand(2, 7).contiguous()
    arm = engine.default_joint_pos.expand(2, -1).contiguous()
    engine.write(StateWrite(joint_pos=arm, object_pose_w={"cube": pose}), everywhere(engine))
    engine.set_targets(engine.default_targets.expand(2, -1).contiguous())


def drop(session: Session) -> list[Row]:
    """A cube of 4 cm from 0.2 m."""
    env, engine = scene(FRANKA, session)
    put_cube(engine, 0.2)
    heights: list[float] = []
    for _ in range(round(1.0 / env.sim.dt)):
        engine.advance(1)
        heights.append(float(engine.object_pos_w()[0, 0, 2]))
    return [
        ("cube dropped from 0.2 m: lowest height of its centre", "mm", 1e3 * min(heights)),
        ("height of its centre after 1 s", "mm", 1e3 * heights[-1]),
    ]


def slide(session: Session) -> list[Row]:
    """A cube with a friction of 0.5 on a slope of 20 and of 35 degrees. From 45 on it would tip."""
    rows: list[Row] = []
    for degrees in (20.0, 35.0):
        angle = math.radians(degrees)
        gravity = (9.81 * math.sin(angle), 0.0, -9.81 * math.cos(angle))
        _, engine = scene(FRANKA, session, friction=0.5, gravity=gravity)
        put_cube(engine, 0.02)
        engine.advance(100)
        way = float(engine.object_pos_w()[0, 0, 0]) + 1.0
        free = max(9.81 * (math.sin(angle) - 0.5 * math.cos(angle)) / 2, 0.0)
        told = f"{free:.3f} m by Coulomb's law" if free else "none by Coulomb's law"
        rows.append((f"cube on a slope of {degrees:g} degrees: way in 1 s ({told})", "m", way))
    return rows


def leg(session: Session) -> list[Row]:
    """The Go1 in free fall: a calf is told to move by 0.3 rad."""
    env, engine = scene(GO1, session)
    pose = torch.tensor([0.0, 0.0, 5.0, 1.0, 0.0, 0.0, 0.0]).expand(2, 7).contiguous()
    pos = engine.default_joint_pos.expand(2, -1).contiguous()
    engine.write(StateWrite(joint_pos=pos, base_pose_w=pose), everywhere(engine))
    targets = engine.default_targets.expand(2, -1).clone()
    column = engine.names.joint_ids(["FR_calf_joint"])[0]
    targets[:, [*env.driven].index("FR_calf_joint")] += 0.3
    engine.set_targets(targets)
    rows: list[Row] = []
    for before, after in ((0.0, 0.02), (0.02, 0.1), (0.1, 0.4)):
        engine.advance(round((after - before) / env.sim.dt))
        moved = float(engine.joint_pos()[0, column] - pos[0, column])
        rows.append((f"calf told to move by 0.3 rad: moved after {after:g} s", "rad", moved))
    return rows


def stance(session: Session) -> list[Row]:
    """The Go1 told to stay in its default pose."""
    env, engine = scene(GO1, session)
    pose = torch.tensor([0.0, 0.0, 0.32, 1.0, 0.0, 0.0, 0.0]).expand(2, 7).contiguous()
    pos = engine.default_joint_pos.expand(2, -1).contiguous()
    engine.write(StateWrite(joint_pos=pos, base_pose_w=pose), everywhere(engine))
    engine.set_targets(engine.default_targets.expand(2, -1).contiguous())
    engine.advance(round(3.0 / env.sim.dt))
    calf = engine.names.joint_ids(["FR_calf_joint"])[0]
    return [
        ("Go1 standing: height of the trunk after 3 s", "m", float(engine.link_pos_w()[0, 0, 2])),
        ("torque of a calf", "N m", float(engine.joint_torque()[0, calf])),
        ("force of the ground on all links", "N", float(engine.contact_force_w()[0, :, 2].sum())),
    ]


def wheels(session: Session) -> list[Row]:
    """The Go2-W told to turn its wheels."""
    env, engine = scene(GO2W, session)
    pose = torch.tensor([0.0, 0.0, 0.44, 1.0, 0.0, 0.0, 0.0]).expand(2, 7).contiguous()
    pos = engine.default_joint_pos.expand(2, -1).contiguous()
    engine.write(StateWrite(joint_pos=pos, base_pose_w=pose), everywhere(engine))
    targets = engine.default_targets.expand(2, -1).clone()
    engine.set_targets(targets)
    engine.advance(round(1.0 / env.sim.dt))
    driven = [k for k, joint in enumerate(env.driven) if "wheel" in joint]
    targets[:, driven] = 5.0
    engine.set_targets(targets.contiguous())
    before = engine.link_pos_w()[0, 0].clone()
    engine.advance(round(2.0 / env.sim.dt))
    way = engine.link_pos_w()[0, 0] - before
    return [
        ("Go2-W, wheels told 5 rad/s: way in 2 s", "m", float(way[:2].norm())),
        ("its velocity then", "m/s", float(engine.link_lin_vel_w()[0, 0, :2].norm())),
    ]


MOTIONS: tuple[Callable[[Session], list[Row]], ...] = (drop, slide, leg, stance, wheels)


def main() -> None:
    """Print the table as Markdown."""
    found: dict[str, list[Row]] = {}
    for name in ENGINES:
        session = start(SEED, "cpu", 1, name)
        found[name] = [row for motion in MOTIONS for row in motion(session)]
    print(f"| motion | {' | '.join(ENGINES)} | unit |")
    print("|---|---|---|---|")
    for rows in zip(*found.values(), strict=True):
        print(f"| {rows[0][0]} | {' | '.join(f'{value:.4g}' for _, _, value in rows)} | {rows[0][1]} |")
