"""Reads from a built Genesis scene what `genelab.sim.read_back` compares."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.scene import BoxCfg, RobotCfg
from genelab.mdp.rotations import quat_apply_inverse
from genelab.sim import read_back
from genelab.sim.read_back import HeldRobot


def robot(entity: Any, dofs: list[int], cfg: RobotCfg) -> None:
    """Compare masses, passive joint terms, ranges, gains and limits.

    Args:
        entity: the robot in the simulator.
        dofs: its degrees of freedom, in the order of `cfg.joints`.
        cfg: the robot.

    Raises:
        RunError: on the first difference.
    """
    low, high = entity.get_dofs_limit(dofs)
    force_low, force_high = entity.get_dofs_force_range(dofs)
    joints = {
        "armature": entity.get_dofs_armature(dofs),
        "damping": entity.get_dofs_damping(dofs),
        "frictionloss": entity.get_dofs_frictionloss(dofs),
        "range[0]": low,
        "range[1]": high,
        "kp": entity.get_dofs_kp(dofs),
        "kv": entity.get_dofs_kv(dofs),
        "effort_limit[0]": force_low,
        "effort_limit[1]": force_high,
    }
    held = HeldRobot(
        num_dofs=entity.n_dofs,
        root=entity.base_link.name,
        masses={link.name: float(link.get_mass().flatten()[0]) for link in entity.links},
        joints={quantity: _first_environment(values) for quantity, values in joints.items()},
    )
    read_back.robot(held, cfg)


def mirror(entity: Any, cfg: RobotCfg) -> None:
    """See that every joint lies and turns where its mirror image should, while the robot is in its default pose.

    Raises:
        InputError: on the first joint that does not.
    """
    import genesis as gs

    base_pos, base_quat = entity.base_link.get_pos(), entity.base_link.get_quat()
    joints = {name: entity.get_joint(name) for name in cfg.joints}
    read_back.mirror(
        {name: quat_apply_inverse(base_quat, j.get_anchor_pos() - base_pos)[0] for name, j in joints.items()},
        {name: quat_apply_inverse(base_quat, j.get_anchor_axis())[0] for name, j in joints.items()},
        [name for name, joint in joints.items() if joint.type != gs.JOINT_TYPE.REVOLUTE],
        cfg,
    )


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
    read_back.fields(held)


def objects(entities: Sequence[Any], boxes: Mapping[str, BoxCfg]) -> None:
    """Compare mass and friction of the objects.

    Raises:
        RunError: on the first difference; names the object.
    """
    for entity, (name, box) in zip(entities, boxes.items(), strict=True):
        read_back.fields(
            [
                (f"env.objects.{name}.mass", float(entity.get_mass()), box.mass),
                (f"env.objects.{name}.friction", float(entity.geoms[0].get_friction()), box.friction),
            ]
        )


def _first_environment(values: Tensor) -> list[float]:
    # Batched where randomisations may write, and equal before they do.
    return (values[0] if values.ndim == 2 else values).tolist()
