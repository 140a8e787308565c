"""What a freshly built scene holds, against model file and config: a setter that did nothing is an error here."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genelab.config.model_file import load_model
from genelab.config.scene import RobotCfg, mirror_name
from genelab.errors import InputError, RunError
from genelab.mdp.state import StateWrite
from genelab.sim.engine import Engine


@dataclass(frozen=True)
class HeldRobot:
    """A robot as an engine holds it."""

    num_dofs: int
    """Degrees of freedom, those of a floating base included."""
    root: str
    """Its root link."""
    masses: Mapping[str, float]
    """By link, kg."""
    joints: Mapping[str, Sequence[float]]
    """By quantity, in the order of the model file: armature, damping, frictionloss, range[0], range[1], kp, kv,
    effort_limit[0], effort_limit[1]. Of joints under an explicit law, the last four are not looked at."""


def robot(held: HeldRobot, cfg: RobotCfg) -> None:
    """Compare masses, passive joint terms and ranges with the model file, gains and limits with the config.

    Raises:
        RunError: on the first difference; names the joint or the link and the quantity.
    """
    free = 6 if cfg.base else 0
    if held.num_dofs != len(cfg.joints) + free:
        raise RunError(
            f"the simulator holds {held.num_dofs} degrees of freedom, the model file has {len(cfg.joints)} joints"
            f"{' beside the floating base' if free else ''}"
        )
    if cfg.base is not None and held.root != cfg.base:
        raise RunError(f"the root link is '{held.root}' in the simulator, '{cfg.base}' in the model file")
    passive, masses = _of_the_file(cfg)
    for link, mass in masses.items():
        _require(f"link '{link}': the simulator holds mass =", held.masses[link], mass, "model file")
    for column, joint in enumerate(cfg.joints):
        for source, wanted in (("model file", passive[joint]), ("config", _driven(cfg, joint))):
            for quantity, value in wanted.items():
                told = f"joint '{joint}': the simulator holds {quantity} ="
                _require(told, held.joints[quantity][column], value, source)


def _require(told: str, found: float, value: float, source: str) -> None:
    if not np.isclose(found, value, rtol=1e-5, atol=1e-7):
        raise RunError(f"{told} {found}, the {source} says {value}")


def _of_the_file(cfg: RobotCfg) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Passive terms and range by joint, and mass by link. The ranges are those that configs are checked against."""
    loaded = load_model(cfg.model, cfg.model_sha256)
    passive: dict[str, dict[str, float]] = {}
    for joint in cfg.joints:
        dof, (low, high) = loaded.joint(joint).dofadr[0], cfg.range_of(joint) or (-math.inf, math.inf)
        passive[joint] = {
            "armature": cfg.armature_of(joint, float(loaded.dof_armature[dof])),
            "damping": float(loaded.dof_damping[dof]),
            "frictionloss": float(loaded.dof_frictionloss[dof]),
            "range[0]": low,
            "range[1]": high,
        }
    return passive, {link: float(loaded.body(link).mass[0]) for link in cfg.links}


def _driven(cfg: RobotCfg, joint: str) -> dict[str, float]:
    group = cfg.actuator_of(joint)
    if group.law == "explicit_pd":
        return {}
    limits = {"effort_limit[0]": -group.max_effort, "effort_limit[1]": group.max_effort}
    return {"kp": group.kp, "kv": group.kv, **limits}


def mirror(place: Mapping[str, Tensor], axis: Mapping[str, Tensor], sliding: Iterable[str], cfg: RobotCfg) -> None:
    """See that every joint lies and turns where its mirror image should, while the robot is in its default pose.

    A reflection at the x-z plane of the base takes the point (x, y, z) to (x, -y, z). An axis that is slid along goes
    the same way, and one that is turned about goes to (-x, y, -z).

    Args:
        place: where each joint is, frame of the base, m. Shape of each: (3,).
        axis: of each joint, in the same frame, a unit vector. Shape of each: (3,).
        sliding: joints that slide along their axis; the others turn about it.
        cfg: the robot.

    Raises:
        InputError: on the first joint that does not; names it and its image.
    """
    if cfg.mirror is None:
        return
    for name in cfg.joints:
        image, sign = mirror_name(cfg.mirror, name)
        over = torch.tensor([1.0, -1.0, 1.0], device=place[name].device)
        if not torch.allclose(place[image], over * place[name], atol=1e-3):
            told = f"lies at {_rounded(place[image])}, and '{name}' at {_rounded(place[name])}"
            raise InputError(f"env.robot.mirror: joint '{image}' is no mirror image of '{name}': it {told}, m")
        turns = 1.0 if name in sliding else -1.0
        if not torch.allclose(axis[image], sign * turns * over * axis[name], atol=1e-3):
            kept = "keep its sign" if sign > 0 else "change its sign"
            rule = f"'{image}' turns about {_rounded(axis[image])}, '{name}' about {_rounded(axis[name])}"
            raise InputError(
                f"env.robot.mirror.flip = {list(cfg.mirror.flip)}: the coordinate of '{name}' cannot {kept}: {rule}"
            )


def fields(held: Iterable[tuple[str, float, float]]) -> None:
    """Compare single values: name, what the engine holds, what the config says.

    Raises:
        RunError: on the first difference; names the field.
    """
    for name, found, value in held:
        _require(f"{name}: the simulator holds", found, value, "config")


def writes(engine: Engine, base: str | None) -> None:
    """Write a state to every other environment, read it back, see that the others kept theirs, and reset.

    Args:
        engine: the built scene.
        base: link of a floating base; None for a robot without one.

    Raises:
        RunError: if something else is held than what was written.
    """
    mask = torch.arange(engine.num_envs, device=engine.device) % 2 == 0
    _joint_writes(engine, mask)
    if base is not None:
        _base_writes(engine, engine.names.link_id(base), mask)
    for number, name in enumerate(engine.names.objects):
        _object_writes(engine, number, name, mask)
    engine.reset(mask)


def _joint_writes(engine: Engine, mask: Tensor) -> None:
    before = engine.joint_pos().clone(), engine.joint_vel().clone()
    # Small against any joint range, different for every joint.
    probe = 1e-3 * torch.arange(1, len(engine.names.joints) + 1, device=engine.device, dtype=torch.float32)
    probe = probe.expand(engine.num_envs, -1).contiguous()
    engine.write(StateWrite(joint_pos=probe, joint_vel=2 * probe), mask)
    for what, held, written, old in (
        ("positions", engine.joint_pos(), probe, before[0]),
        ("velocities", engine.joint_vel(), 2 * probe, before[1]),
    ):
        if not torch.equal(held, torch.where(mask[:, None], written, old)):
            raise RunError(f"joint {what} read back from the simulator are not those written")


def _base_writes(engine: Engine, base: int, mask: Tensor) -> None:
    """The same for pose and velocity of the base, with a turn, since velocities may be written in another frame."""
    before = _state_of(engine, base)
    half = math.sqrt(0.5)
    pose = torch.tensor([0.1, 0.2, 0.5, half, 0.0, 0.0, half], device=engine.device)
    speed = torch.tensor([0.1, -0.2, 0.3, 0.4, -0.5, 0.6], device=engine.device)
    written = [value.expand(engine.num_envs, -1).contiguous() for value in (pose, speed)]
    engine.write(StateWrite(base_pose_w=written[0], base_vel_w=written[1]), mask)
    if not torch.allclose(
        _state_of(engine, base), torch.where(mask[:, None], torch.cat([pose, speed]), before), atol=1e-5
    ):
        raise RunError("pose or velocity of the base read back from the simulator are not those written")


def _object_writes(engine: Engine, number: int, name: str, mask: Tensor) -> None:
    before = torch.cat([engine.object_pos_w()[:, number], engine.object_quat_w()[:, number]], dim=1).clone()
    half = math.sqrt(0.5)
    probe = torch.tensor([0.1 + number, 0.2, 0.3, half, 0.0, 0.0, half], device=engine.device)
    probe = probe.expand(engine.num_envs, -1).contiguous()
    engine.write(StateWrite(object_pose_w={name: probe}), mask)
    held = torch.cat([engine.object_pos_w()[:, number], engine.object_quat_w()[:, number]], dim=1)
    if not torch.allclose(held, torch.where(mask[:, None], probe, before), atol=1e-6):
        raise RunError(f"object '{name}': the pose read back from the simulator is not the one written")


def _state_of(engine: Engine, link: int) -> Tensor:
    """Position, orientation, velocity and angular velocity of a link. Shape: (num_envs, 13)."""
    parts = (engine.link_pos_w(), engine.link_quat_w(), engine.link_lin_vel_w(), engine.link_ang_vel_w())
    return torch.cat([value[:, link] for value in parts], dim=1)


def _rounded(vector: Tensor) -> list[float]:
    return [round(value, 3) + 0.0 for value in vector.tolist()]
