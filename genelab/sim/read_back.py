"""What a freshly built scene holds, against what the config says: a setter that did nothing is an error here."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.scene import BoxCfg, RobotCfg, mirror_name
from genelab.errors import InputError, RunError
from genelab.mdp.state import quat_apply_inverse

if TYPE_CHECKING:
    from genelab.sim.simulation import Simulation


def robot(entity: Any, dofs: list[int], cfg: RobotCfg) -> None:
    """Compare mass, passive joint terms, ranges, gains and limits.

    Args:
        entity: the robot in the simulator.
        dofs: its degrees of freedom, in the order of `cfg.joints`.
        cfg: the robot.

    Raises:
        RunError: on the first difference; names the joint and the quantity.
    """
    free = 6 if cfg.base else 0
    if entity.n_dofs != len(cfg.joints) + free:
        raise RunError(
            f"the model has {entity.n_dofs} degrees of freedom, env.robot.joints names {len(cfg.joints)}"
            f"{' beside the floating base' if free else ''}"
        )
    if cfg.base is not None:
        root, mass = entity.base_link.name, float(torch.as_tensor(entity.get_mass()).flatten()[0])
        if root != cfg.base.link:
            raise RunError(f"the root link of the model is '{root}', not '{cfg.base.link}'")
        if not np.isclose(mass, cfg.base.mass, rtol=1e-4):
            raise RunError(f"the robot weighs {mass} kg in the simulator, {cfg.base.mass} kg in the config")
    low, high = (_first_environment(bound) for bound in entity.get_dofs_limit(dofs))
    force_low, force_high = (_first_environment(bound) for bound in entity.get_dofs_force_range(dofs))
    held = {
        "armature": _first_environment(entity.get_dofs_armature(dofs)),
        "damping": _first_environment(entity.get_dofs_damping(dofs)),
        "frictionloss": _first_environment(entity.get_dofs_frictionloss(dofs)),
        "range[0]": low,
        "range[1]": high,
        "kp": _first_environment(entity.get_dofs_kp(dofs)),
        "kv": _first_environment(entity.get_dofs_kv(dofs)),
        "effort_limit[0]": force_low,
        "effort_limit[1]": force_high,
    }
    for column, name in enumerate(cfg.joints):
        for quantity, value in _wanted(cfg, name).items():
            if not np.isclose(held[quantity][column], value, rtol=1e-5, atol=1e-7):
                found = held[quantity][column]
                raise RunError(f"joint '{name}': the simulator holds {quantity} = {found}, the config says {value}")


def mirror(entity: Any, cfg: RobotCfg) -> None:
    """See that every joint lies and turns where its mirror image should, while the robot is in its default pose.

    A reflection at the x-z plane of the base takes the point (x, y, z) to (x, -y, z). An axis that is slid along goes
    the same way, and one that is turned about goes to (-x, y, -z).

    Raises:
        InputError: on the first joint that does not; names it and its image.
    """
    import genesis as gs

    if cfg.mirror is None:
        return
    base_pos, base_quat = entity.base_link.get_pos(), entity.base_link.get_quat()
    joints = {name: entity.get_joint(name) for name in cfg.joints}
    place = {name: quat_apply_inverse(base_quat, j.get_anchor_pos() - base_pos) for name, j in joints.items()}
    axis = {name: quat_apply_inverse(base_quat, j.get_anchor_axis()) for name, j in joints.items()}
    over = torch.tensor([1.0, -1.0, 1.0], device=base_pos.device)
    for name in cfg.joints:
        image, sign = mirror_name(cfg.mirror, name)
        if not torch.allclose(place[image], over * place[name], atol=1e-3):
            told = f"lies at {_rounded(place[image])}, and '{name}' at {_rounded(place[name])}"
            raise InputError(f"env.robot.mirror: joint '{image}' is no mirror image of '{name}': it {told}, m")
        turns = -1.0 if joints[name].type == gs.JOINT_TYPE.REVOLUTE else 1.0
        if not torch.allclose(axis[image], sign * turns * over * axis[name], atol=1e-3):
            kept = "keep its sign" if sign > 0 else "change its sign"
            rule = f"'{image}' turns about {_rounded(axis[image])}, '{name}' about {_rounded(axis[name])}"
            raise InputError(
                f"env.robot.mirror.flip = {list(cfg.mirror.flip)}: the coordinate of '{name}' cannot {kept}: {rule}"
            )


def _rounded(vector: Tensor) -> list[float]:
    return [round(value, 3) + 0.0 for value in vector[0].tolist()]


def _wanted(cfg: RobotCfg, name: str) -> dict[str, float]:
    joint = cfg.joints[name]
    wanted = {
        "armature": joint.armature,
        "damping": joint.damping,
        "frictionloss": joint.frictionloss,
        "range[0]": joint.range[0] if joint.range else -math.inf,
        "range[1]": joint.range[1] if joint.range else math.inf,
    }
    group = next(group for group in cfg.actuators.values() if name in group.joints)
    if group.law != "explicit_pd":
        limit = math.inf if group.effort_limit is None else group.effort_limit
        wanted |= {"kp": group.kp, "kv": group.kv, "effort_limit[0]": -limit, "effort_limit[1]": limit}
    return wanted


def _first_environment(values: Tensor) -> list[float]:
    # Batched where randomisations may write, and equal before they do.
    return (values[0] if values.ndim == 2 else values).tolist()


def materials(scene: Any, entity: Any, ground: Sequence[Any], cfg: EnvCfg) -> None:
    """Compare gravity compensation of the robot, and the friction of everything that is ground.

    Raises:
        RunError: on the first difference; names the field.
    """
    from genesis.utils.misc import qd_to_numpy

    # The entity itself would only repeat what it was told.
    solver = scene.sim.rigid_solver
    shares = qd_to_numpy(solver.dyn_info.entities.gravity_compensation).flatten()
    share = float(shares[solver.entities.index(entity)])
    held = [("env.robot.gravity_compensation", share, cfg.robot.gravity_compensation)]
    if cfg.ground is not None:
        frictions = [float(part.geoms[0].get_friction()) for part in ground]
        held += [("env.ground.friction", friction, cfg.ground.friction) for friction in frictions]
    for field, found, value in held:
        if not np.isclose(found, value, rtol=1e-5, atol=1e-7):
            raise RunError(f"{field}: the simulator holds {found}, the config says {value}")


def objects(sim: "Simulation", entities: Sequence[Any], boxes: Mapping[str, BoxCfg]) -> None:
    """Compare mass and friction of the objects, and write and read back a pose of each. Resets what it wrote to.

    Raises:
        RunError: on the first difference; names the object.
    """
    mask = _every_other(sim)
    for number, (name, box) in enumerate(boxes.items()):
        entity = entities[number]
        for quantity, held, value in (
            ("mass", float(entity.get_mass()), box.mass),
            ("friction", float(entity.geoms[0].get_friction()), box.friction),
        ):
            if not np.isclose(held, value, rtol=1e-5):
                raise RunError(f"object '{name}': the simulator holds {quantity} = {held}, the config says {value}")
        before = torch.cat([sim.object_pos_w()[:, number], sim.object_quat_w()[:, number]], dim=1).clone()
        half = math.sqrt(0.5)
        probe = torch.tensor([0.1 + number, 0.2, 0.3, half, 0.0, 0.0, half], device=sim.device)
        probe = probe.expand(sim.num_envs, -1).contiguous()
        sim.write_object_pose_w(name, probe, mask)
        held = torch.cat([sim.object_pos_w()[:, number], sim.object_quat_w()[:, number]], dim=1)
        if not torch.allclose(held, torch.where(mask[:, None], probe, before), atol=1e-6):
            raise RunError(f"object '{name}': the pose read back from the simulator is not the one written")
    if boxes:
        sim.reset(mask)


def state_writes(sim: "Simulation", base: str | None) -> None:
    """Write a state to every other environment, read it back, see that the others kept theirs, and reset.

    Args:
        sim: the built scene.
        base: link of a floating base; None for a robot without one.

    Raises:
        RunError: if something else is held than what was written.
    """
    mask = _every_other(sim)
    before = sim.joint_pos().clone(), sim.joint_vel().clone()
    # Small against any joint range, different for every joint.
    probe = 1e-3 * torch.arange(1, len(sim.names.joints) + 1, device=sim.device, dtype=torch.float32)
    probe = probe.expand(sim.num_envs, -1).contiguous()
    sim.write_joint_pos(probe, mask)
    sim.write_joint_vel(2 * probe, mask)
    for what, held, factor, old in (
        ("positions", sim.joint_pos(), 1, before[0]),
        ("velocities", sim.joint_vel(), 2, before[1]),
    ):
        if not torch.equal(held, torch.where(mask[:, None], factor * probe, old)):
            raise RunError(f"joint {what} read back from the simulator are not those written")
    if base is not None:
        _base_writes(sim, sim.names.link_id(base), mask)
    sim.reset(mask)


def _base_writes(sim: "Simulation", base: int, mask: Tensor) -> None:
    """The same for pose and velocity of the base, with a turn, since velocities are written in another frame."""
    before = _state_of(sim, base)
    half = math.sqrt(0.5)
    pose = torch.tensor([0.1, 0.2, 0.5, half, 0.0, 0.0, half], device=sim.device)
    speed = torch.tensor([0.1, -0.2, 0.3, 0.4, -0.5, 0.6], device=sim.device)
    sim.write_base_pose_w(pose.expand(sim.num_envs, -1).contiguous(), mask)
    sim.write_base_vel_w(speed.expand(sim.num_envs, -1).contiguous(), mask)
    if not torch.allclose(
        _state_of(sim, base), torch.where(mask[:, None], torch.cat([pose, speed]), before), atol=1e-5
    ):
        raise RunError("pose or velocity of the base read back from the simulator are not those written")


def _state_of(sim: "Simulation", link: int) -> Tensor:
    """Position, orientation, velocity and angular velocity of a link. Shape: (num_envs, 13)."""
    parts = (sim.link_pos_w(), sim.link_quat_w(), sim.link_lin_vel_w(), sim.link_ang_vel_w())
    return torch.cat([value[:, link] for value in parts], dim=1)


def _every_other(sim: "Simulation") -> Tensor:
    return torch.arange(sim.num_envs, device=sim.device) % 2 == 0
