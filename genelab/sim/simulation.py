"""A built Genesis scene with one robot and free objects: targets in, state out, and masked state writes."""

import hashlib
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genelab.config.base import resolve_asset
from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg, Vector
from genelab.errors import DivergedError, InputError, RunError
from genelab.mdp.state import Names, StateWrite, quat_apply_inverse
from genelab.mdp.terrain import HeightMap
from genelab.sim import read_back
from genelab.sim.drives import Drives
from genelab.sim.properties import Properties
from genelab.sim.session import Session
from genelab.sim.terrain import add_terrain, generate


class Simulation:
    """The scene of an environment. Everything written to it at build time is read back and compared."""

    def __init__(self, cfg: EnvCfg, num_envs: int, session: Session, *, camera: tuple[int, int] | None = None) -> None:
        """Build the scene.

        Args:
            cfg: the environment.
            num_envs: parallel environments.
            session: the running simulator.
            camera: width and height of the pictures that `picture` takes, pixels; None for none. The surface of a
                terrain, which nothing else needs, costs memory and seconds.

        Raises:
            InputError: if the model file is not the one that the config names, or the robot not symmetric as it says.
            RunError: if the simulator holds something else than the config says, or cannot draw.
        """
        import genesis as gs

        begin = time.perf_counter()
        self.num_envs = num_envs
        self.device = session.device
        self._no_objects = {width: torch.empty(num_envs, 0, width, device=self.device) for width in (3, 4)}
        self._names = Names(tuple(cfg.robot.joints), cfg.robot.links, tuple(cfg.objects))
        self._scene: Any = gs.Scene(
            sim_options=gs.options.SimOptions(dt=cfg.sim.dt, substeps=cfg.sim.substeps, gravity=cfg.sim.gravity),
            rigid_options=gs.options.RigidOptions(
                enable_collision=cfg.sim.collision,
                integrator=getattr(gs.integrator, cfg.sim.integrator),
                # Otherwise a gain or a mass that is written to one environment is written to all.
                batch_dofs_info=bool(cfg.randomizations),
                batch_links_info=bool(cfg.randomizations),
            ),
            show_viewer=False,
        )
        heights = generate(cfg.terrain) if cfg.terrain else None
        self._ground: list[Any] = []
        if cfg.ground is not None:
            if heights is not None:
                self._ground = add_terrain(self._scene, heights, cfg.ground.friction, visible=camera is not None)
            else:
                material = gs.materials.Rigid(friction=cfg.ground.friction)
                self._ground = [self._scene.add_entity(gs.morphs.Plane(), material=material)]
        self._robot: Any = self._scene.add_entity(
            gs.morphs.MJCF(
                file=str(_checked_model(cfg.robot)),
                pos=cfg.robot.pos,
                default_armature=cfg.robot.default_armature,
            ),
            material=gs.materials.Rigid(gravity_compensation=cfg.robot.gravity_compensation),
        )
        self._objects: list[Any] = [
            self._scene.add_entity(
                gs.morphs.Box(size=box.size, pos=box.pos),
                material=gs.materials.Rigid(rho=box.mass / math.prod(box.size), friction=box.friction),
            )
            for box in cfg.objects.values()
        ]
        self._camera: Any = None if camera is None else self._scene.add_camera(res=camera, fov=40, GUI=False)
        try:
            self._scene.build(n_envs=num_envs)
        except gs.GenesisException as error:
            if camera is None:
                raise
            raise RunError(f"the scene with a camera cannot be built: {' '.join(str(error).split())}") from error
        # Map by name: the order of DoFs is the simulator's business.
        self._dofs = [self._robot.get_joint(name).dofs_idx_local[0] for name in self._names.joints]
        self._qs = [self._robot.get_joint(name).qs_idx_local[0] for name in self._names.joints]
        self._links = [self._robot.get_link(name).idx_local for name in self._names.links]
        self._robot_cfg = cfg.robot
        self._floating = cfg.robot.base is not None
        self.ground = heights.height_map(self.device) if heights else HeightMap.flat(self.device)
        """Height of the ground."""
        self.cell_centers_w = None if heights is None else torch.tensor(heights.cell_centers, dtype=torch.float32)
        """Centres of the terrain's cells, m; None without a terrain. Shape: (rows, columns, 3), on the CPU."""
        self._set_gains(cfg.robot)
        read_back.robot(self._robot, self._dofs, cfg.robot)
        read_back.materials(self._scene, self._robot, self._ground, cfg)
        self.properties = Properties(self._robot, cfg.robot, self._dofs, num_envs, self.device)
        """What randomisations write."""
        self.default_joint_pos = torch.tensor(
            [joint.default_pos for joint in cfg.robot.joints.values()], dtype=torch.float32, device=self.device
        )
        endless = (-math.inf, math.inf)
        self.joint_range = torch.tensor(
            [joint.range or endless for joint in cfg.robot.joints.values()], dtype=torch.float32, device=self.device
        ).T
        """Lower and upper joint limits, m or rad, infinite where there is none. Shape: (2, num_joints)."""
        driven = self._names.joint_ids(cfg.action.driven)
        self.default_targets = self.default_joint_pos[driven]
        self._drives = Drives(self._robot, cfg, self._dofs, self._names.joints, self.properties, self.device)
        read_back.objects(self, self._objects, cfg.objects)
        self.default_link_quat_w = self._look_at_the_default_pose()
        """Orientations of the links in the default pose, w x y z. Shape: (num_links, 4)."""
        read_back.state_writes(self, None if cfg.robot.base is None else cfg.robot.base.link)
        self.build_s = time.perf_counter() - begin

    @property
    def names(self) -> Names:
        """Column order of the state tensors."""
        return self._names

    def wants_velocity(self, joint: str) -> bool:
        """Whether the actuator of a joint takes velocities for targets."""
        return self._robot_cfg.law_of(joint) == "velocity"

    def set_targets(self, targets: Tensor) -> None:
        """Set targets of the driven joints; they hold until set again. Shape: (num_envs, driven).

        Positions, m or rad, or velocities, m/s or rad/s, as the joints' actuators want.
        """
        self._drives.set_targets(targets)

    def step(self) -> None:
        """Advance one physics step.

        Raises:
            DivergedError: if the simulator gives up on the whole batch, which it does some steps after one environment
                met an error. Look at `error` after each step to be earlier.
        """
        import genesis as gs

        self._drives.before_step()
        try:
            self._scene.step()
        except gs.GenesisException as error:
            environments = torch.nonzero(self.error()).flatten().tolist()
            shown = f"{environments[:5]}{' and more' if len(environments) > 5 else ''}"
            raise DivergedError(f"the simulator stopped in environment(s) {shown}: {error}") from error

    def error(self) -> Tensor:
        """Where the simulator met an error: non-finite forces or accelerations, more contacts than it holds.

        A reset clears it. Shape: (num_envs,) bool.
        """
        return self._scene.sim.rigid_solver.get_error_envs_mask()

    def joint_pos(self) -> Tensor:
        """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
        return self._robot.get_dofs_position(self._dofs)

    def joint_vel(self) -> Tensor:
        """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
        return self._robot.get_dofs_velocity(self._dofs)

    def link_pos_w(self) -> Tensor:
        """Positions of the links' origins in the world frame, m. Shape: (num_envs, num_links, 3)."""
        return self._robot.get_links_pos(self._links).contiguous()

    def link_quat_w(self) -> Tensor:
        """Link orientations, w x y z. Shape: (num_envs, num_links, 4)."""
        return self._robot.get_links_quat(self._links).contiguous()

    def link_ang_vel_w(self) -> Tensor:
        """Link angular velocities in the world frame, rad/s. Shape: (num_envs, num_links, 3)."""
        return self._robot.get_links_ang(self._links).contiguous()

    def link_lin_vel_w(self) -> Tensor:
        """Velocities of the links' origins in the world frame, m/s. Shape: (num_envs, num_links, 3)."""
        return self._robot.get_links_vel(self._links).contiguous()

    def contact_force_w(self) -> Tensor:
        """Net contact forces on the links in the last physics step, world frame, N. Shape: (num_envs, num_links, 3)."""
        return self._robot.get_links_net_contact_force()[:, self._links].contiguous()

    def joint_torque(self) -> Tensor:
        """What the actuators exert within their limits, N or N m: in this state, or of explicit laws in the last step.

        Shape: (num_envs, num_joints).
        """
        return self._robot.get_dofs_control_force(self._dofs)

    def jacobian(self, link: str) -> Tensor:
        """Linear (m) and angular (rad) motion of a link's origin in the world frame, per unit of each joint.

        Shape: (num_envs, 6, num_joints).
        """
        return self._robot.get_jacobian(self._robot.get_link(link))[:, :, self._dofs].contiguous()

    def object_pos_w(self) -> Tensor:
        """Positions of the objects' centres in the world frame, m. Shape: (num_envs, num_objects, 3)."""
        return self._of_objects("get_pos", 3)

    def object_quat_w(self) -> Tensor:
        """Orientations of the objects, w x y z. Shape: (num_envs, num_objects, 4)."""
        return self._of_objects("get_quat", 4)

    def object_lin_vel_w(self) -> Tensor:
        """Linear velocities of the objects in the world frame, m/s. Shape: (num_envs, num_objects, 3)."""
        return self._of_objects("get_vel", 3)

    def picture(self, pos_w: Vector, lookat_w: Vector) -> NDArray[np.uint8]:
        """What the camera sees of the first environment, from a point towards another, world frame, m.

        Returns:
            Shape: (height, width, 3), RGB.

        Raises:
            ValueError: if the scene was built without a camera.
        """
        if self._camera is None:
            raise ValueError("the scene was built without a camera")
        # Otherwise the camera keeps the roll that the last direction left it with.
        self._camera.set_pose(pos=pos_w, lookat=lookat_w, up=(0.0, 0.0, 1.0))
        return np.asarray(self._camera.render()[0])

    def reset(self, mask: Tensor) -> None:
        """Forget everything about the masked environments, solver warm start included. Shape: (num_envs,) bool."""
        self._scene.reset(envs_idx=mask)
        self.properties.write_again()

    def write(self, write: StateWrite, mask: Tensor) -> None:
        """Write parts of the state where masked. Shape: (num_envs,) bool."""
        # Positions first: some simulators clear velocities with them.
        if write.base_pose_w is not None:
            self.write_base_pose_w(write.base_pose_w, mask)
        if write.joint_pos is not None:
            self.write_joint_pos(write.joint_pos, mask)
        if write.joint_vel is not None:
            self.write_joint_vel(write.joint_vel, mask)
        if write.base_vel_w is not None:
            self.write_base_vel_w(write.base_vel_w, mask)
        for name, pose_w in write.object_pose_w.items():
            self.write_object_pose_w(name, pose_w, mask)

    def write_joint_pos(self, joint_pos: Tensor, mask: Tensor) -> None:
        """Write joint positions where masked; velocities stay. Shapes: (num_envs, num_joints), (num_envs,) bool."""
        if self._floating:
            qpos = self._robot.get_qpos().clone()
            qpos[:, self._qs] = joint_pos
        else:
            qpos = self._in_dof_order(joint_pos)
        self._robot.set_qpos(qpos, envs_idx=mask, zero_velocity=False)

    def write_joint_vel(self, joint_vel: Tensor, mask: Tensor) -> None:
        """Write joint velocities where masked. Shapes: (num_envs, num_joints), (num_envs,) bool."""
        if self._floating:
            velocity = self._robot.get_dofs_velocity().clone()
            velocity[:, self._dofs] = joint_vel
        else:
            velocity = self._in_dof_order(joint_vel)
        self._robot.set_dofs_velocity(velocity, envs_idx=mask)

    def write_base_pose_w(self, pose_w: Tensor, mask: Tensor) -> None:
        """Put a floating base somewhere; velocities stay. Shapes: (num_envs, 7) m and w x y z, (num_envs,) bool."""
        qpos = self._robot.get_qpos().clone()
        qpos[:, :7] = pose_w
        self._robot.set_qpos(qpos, envs_idx=mask, zero_velocity=False)

    def write_base_vel_w(self, vel_w: Tensor, mask: Tensor) -> None:
        """Set the velocity of a floating base's origin and its angular velocity, where masked.

        Both in the world frame. Shapes: (num_envs, 6) m/s and rad/s, (num_envs,) bool.
        """
        velocity = self._robot.get_dofs_velocity().clone()
        # The simulator's free joint turns in the frame of its link.
        quat_w = self._robot.get_qpos()[:, 3:7]
        velocity[:, :6] = torch.cat([vel_w[:, :3], quat_apply_inverse(quat_w, vel_w[:, 3:])], dim=1)
        self._robot.set_dofs_velocity(velocity, envs_idx=mask)

    def write_object_pose_w(self, name: str, pose_w: Tensor, mask: Tensor) -> None:
        """Put an object somewhere, at rest, where masked. Shapes: (num_envs, 7) m and w x y z, (num_envs,) bool."""
        entity = self._objects[self._names.object_id(name)]
        entity.set_qpos(pose_w, envs_idx=mask, zero_velocity=True)

    def state_dict(self) -> dict[str, Tensor]:
        """The exact simulator state as named tensors: restored into an equally built scene, it goes on bit-equal."""
        state = self._scene.sim.__getstate__()
        tensors = {"steps": torch.as_tensor(state.steps).clone()}
        for solver, record in state.solvers.items():
            for name, value in record.arrays.items():
                tensors[f"{solver}/{name}"] = torch.as_tensor(value).clone()
        return tensors

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            InputError: if the state was taken from a scene with other arrays.
        """
        # Errors are no part of the state. A state is restored after one, too.
        self.reset(self.error())
        state = self._scene.sim.__getstate__()
        expected = {"steps"} | {f"{s}/{name}" for s, record in state.solvers.items() for name in record.arrays}
        if expected != set(tensors):
            raise InputError(f"simulator state: arrays differ: {sorted(expected ^ set(tensors))[:3]}")
        for solver, record in state.solvers.items():
            for name, current in record.arrays.items():
                value = tensors[f"{solver}/{name}"]
                if tuple(value.shape) != tuple(current.shape):
                    raise InputError(f"simulator state: {name} has shape {tuple(value.shape)}, not {current.shape}")
                record.arrays[name] = value.numpy() if isinstance(current, np.ndarray) else value.to(current.device)
        state.steps[:] = tensors["steps"]
        self._scene.sim.__setstate__(state)

    def _of_objects(self, getter: str, width: int) -> Tensor:
        if not self._objects:
            return self._no_objects[width]
        return torch.stack([getattr(entity, getter)() for entity in self._objects], dim=1)

    def _look_at_the_default_pose(self) -> Tensor:
        """See that the robot is symmetric in it as the config says, and return the links' orientations."""
        everywhere = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        self.write_joint_pos(self.default_joint_pos.expand(self.num_envs, -1).contiguous(), everywhere)
        read_back.mirror(self._robot, self._robot_cfg)
        quat_w = self.link_quat_w()[0].clone()
        self.reset(everywhere)
        return quat_w

    def _in_dof_order(self, joints: Tensor) -> Tensor:
        if self._dofs == list(range(len(self._dofs))):
            return joints
        ordered = torch.empty_like(joints)
        ordered[:, self._dofs] = joints
        return ordered

    def _set_gains(self, robot: RobotCfg) -> None:
        joints = [name for group in robot.actuators.values() for name in group.joints]
        if sorted(joints) != sorted(robot.joints):
            raise InputError(
                f"env.robot.actuators: joints {sorted(joints)} are not each of {sorted(robot.joints)} once"
            )
        for group in robot.actuators.values():
            if group.law == "explicit_pd":
                # Its force is computed by `Drives`.
                continue
            dofs = [self._dofs[column] for column in self._names.joint_ids(group.joints)]
            self._robot.set_dofs_kp([group.kp] * len(dofs), dofs)
            self._robot.set_dofs_kv([group.kv] * len(dofs), dofs)
            limit = float("inf") if group.effort_limit is None else group.effort_limit
            self._robot.set_dofs_force_range([-limit] * len(dofs), [limit] * len(dofs), dofs)


def _checked_model(robot: RobotCfg) -> Path:
    path = resolve_asset(robot.model)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != robot.model_sha256:
        raise InputError(f"env.robot.model '{robot.model}': the file has sha256 {found}, not {robot.model_sha256}")
    return path
