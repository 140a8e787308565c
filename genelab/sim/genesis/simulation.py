"""A built Genesis scene with one robot and free objects."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.config.scene import RobotCfg
from genelab.errors import DivergedError
from genelab.mdp.rotations import quat_apply_inverse
from genelab.mdp.state import StateWrite
from genelab.sim.facts import SceneFacts
from genelab.sim.genesis import read_back, runtime
from genelab.sim.genesis.drives import Drives
from genelab.sim.genesis.properties import Store
from genelab.sim.genesis.rows import Rows
from genelab.sim.genesis.terrain import add_terrain
from genelab.sim.properties import Properties
from genelab.sim.read_back import writes
from genelab.sim.session import Session


class Simulation(SceneFacts):
    """The `Engine` of Genesis. Everything written to it at build time is read back and compared."""

    def __init__(self, cfg: EnvCfg, num_envs: int, session: Session) -> None:
        """Build the scene.

        Args:
            cfg: the environment.
            num_envs: parallel environments.
            session: the running simulator.

        Raises:
            InputError: if the model file is not the one that the config names, or the robot not symmetric as it says.
            RunError: if the simulator holds something else than model file and config say.
        """
        import genesis as gs

        begin = time.perf_counter()
        super().__init__(cfg, num_envs, session)
        self._rows = Rows(num_envs)
        self._no_objects = {width: torch.empty(num_envs, 0, width, device=self.device) for width in (3, 4)}
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
        self._ground: list[Any] = []
        if cfg.ground is not None:
            if self.heightfield is not None:
                self._ground = add_terrain(self._scene, self.heightfield, cfg.ground.friction)
            else:
                material = gs.materials.Rigid(friction=cfg.ground.friction)
                self._ground = [self._scene.add_entity(gs.morphs.Plane(), material=material)]
        self._robot: Any = self._scene.add_entity(
            gs.morphs.MJCF(
                file=str(self.model_file),
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
        runtime.say_compiling()
        self._scene.build(n_envs=self._rows.built)
        runtime.say_known_warnings()
        # Map by name: the order of DoFs is the simulator's business.
        dofs = {name: self._robot.get_joint(name).dofs_idx_local[0] for name in self.names.joints}
        self._dofs = [*dofs.values()]
        self._qs = [self._robot.get_joint(name).qs_idx_local[0] for name in self.names.joints]
        self._links = [self._robot.get_link(name).idx_local for name in self.names.links]
        self._set_gains(cfg.robot)
        read_back.robot(self._robot, self._dofs, cfg.robot)
        read_back.materials(self._scene, self._robot, self._ground, cfg)
        read_back.objects(self._objects, cfg.objects)
        self._store = Store(self._robot, self._dofs, self._rows)
        self.properties = Properties(self._store, cfg.robot, self.device)
        self._drives = Drives(self._robot, cfg, dofs, self.properties, self.device)
        self.default_link_quat_w = self._look_at_the_default_pose()
        writes(self, cfg.robot.base)
        self.build_s = time.perf_counter() - begin

    def set_targets(self, targets: Tensor) -> None:
        """Set targets of the driven joints; they hold until set again. Shape: (num_envs, driven).

        Positions, m or rad, or velocities, m/s or rad/s, as the joints' actuators want.
        """
        self._drives.set_targets(self._rows.to(targets))

    def advance(self, steps: int, *, reset_failed: bool = False) -> Tensor:
        """Advance some physics steps. See `Engine.advance`."""
        failed = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        for _ in range(steps):
            self.step()
            error = self.error()
            failed = failed | error
            if reset_failed and (self.device.type == "cuda" or bool(error.any())):
                # At once: Genesis looks every few steps, and stops for all environments.
                self.reset(error)
            elif self.device.type == "cpu" and bool(error.any()):
                break
        return failed

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
            raise DivergedError(f"the simulator stopped in environment(s) {shown}: {error}", environments) from error

    def error(self) -> Tensor:
        """Where the simulator met an error: non-finite forces or accelerations, more contacts than it holds.

        A reset clears it. Shape: (num_envs,) bool.
        """
        return self._rows.of(self._scene.sim.rigid_solver.get_error_envs_mask())

    def joint_pos(self) -> Tensor:
        """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
        return self._rows.of(self._robot.get_dofs_position(self._dofs))

    def joint_vel(self) -> Tensor:
        """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
        return self._rows.of(self._robot.get_dofs_velocity(self._dofs))

    def link_pos_w(self) -> Tensor:
        """Positions of the links' origins in the world frame, m. Shape: (num_envs, num_links, 3)."""
        return self._rows.of(self._robot.get_links_pos(self._links).contiguous())

    def link_quat_w(self) -> Tensor:
        """Link orientations, w x y z. Shape: (num_envs, num_links, 4)."""
        return self._rows.of(self._robot.get_links_quat(self._links).contiguous())

    def link_ang_vel_w(self) -> Tensor:
        """Link angular velocities in the world frame, rad/s. Shape: (num_envs, num_links, 3)."""
        return self._rows.of(self._robot.get_links_ang(self._links).contiguous())

    def link_lin_vel_w(self) -> Tensor:
        """Velocities of the links' origins in the world frame, m/s. Shape: (num_envs, num_links, 3)."""
        return self._rows.of(self._robot.get_links_vel(self._links).contiguous())

    def contact_force_w(self) -> Tensor:
        """Net contact forces on the links in the last physics step, world frame, N. Shape: (num_envs, num_links, 3)."""
        return self._rows.of(self._robot.get_links_net_contact_force()[:, self._links].contiguous())

    def self_contact_force(self) -> Tensor:
        """Largest force of a contact between two links in the last physics step, N. Shape: (num_envs,)."""
        # Padded: otherwise the device is asked how many there are.
        found = self._robot.get_contacts(with_entity=self._robot, is_padded=True)
        force = found["force_a"].norm(dim=-1).masked_fill(~found["valid_mask"], 0.0)
        return self._rows.of(force.amax(dim=1))

    def joint_torque(self) -> Tensor:
        """What the actuators exert within their limits, N or N m: in this state, or of explicit laws in the last step.

        Shape: (num_envs, num_joints).
        """
        return self._rows.of(self._robot.get_dofs_control_force(self._dofs))

    def jacobian(self, link: str) -> Tensor:
        """Linear (m) and angular (rad) motion of a link's origin in the world frame, per unit of each joint.

        Shape: (num_envs, 6, num_joints).
        """
        jacobian = self._robot.get_jacobian(self._robot.get_link(link))
        return self._rows.of(jacobian[:, :, self._dofs].contiguous())

    def object_pos_w(self) -> Tensor:
        """Positions of the objects' centres in the world frame, m. Shape: (num_envs, num_objects, 3)."""
        return self._of_objects("get_pos", 3)

    def object_quat_w(self) -> Tensor:
        """Orientations of the objects, w x y z. Shape: (num_envs, num_objects, 4)."""
        return self._of_objects("get_quat", 4)

    def object_lin_vel_w(self) -> Tensor:
        """Linear velocities of the objects in the world frame, m/s. Shape: (num_envs, num_objects, 3)."""
        return self._of_objects("get_vel", 3)

    def reset(self, mask: Tensor) -> None:
        """Forget everything about the masked environments, solver warm start included. Shape: (num_envs,) bool."""
        self._scene.reset(envs_idx=self._rows.to(mask))
        for name, value in self.properties.held.items():
            # Of all properties, Genesis resets these too.
            if name.startswith("friction/"):
                self._store.set(name, value)

    def write(self, write: StateWrite, mask: Tensor) -> None:
        """Write parts of the state where masked. Shape: (num_envs,) bool."""
        built = self._rows.to(mask)
        # Whole rows, since Genesis takes no masked columns. Positions first, velocities last.
        if write.joint_pos is not None or write.base_pose_w is not None:
            qpos = self._whole(write.joint_pos, self._qs, self._robot.get_qpos)
            if write.base_pose_w is not None:
                qpos[:, :7] = write.base_pose_w
            self._robot.set_qpos(qpos, envs_idx=built, zero_velocity=False)
        if write.joint_vel is not None or write.base_vel_w is not None:
            velocity = self._whole(write.joint_vel, self._dofs, self._robot.get_dofs_velocity)
            if write.base_vel_w is not None:
                velocity[:, :3] = write.base_vel_w[:, :3]
                # The free joint turns in the frame of its link.
                velocity[:, 3:6] = quat_apply_inverse(self._robot.get_qpos()[:, 3:7], write.base_vel_w[:, 3:])
            self._robot.set_dofs_velocity(velocity, envs_idx=built)
        for name, pose_w in write.object_pose_w.items():
            entity = self._objects[self.names.object_id(name)]
            entity.set_qpos(self._rows.to(pose_w), envs_idx=built, zero_velocity=True)

    def _whole(self, joints: Tensor | None, columns: list[int], held: Callable[[], Tensor]) -> Tensor:
        """Rows of the robot with these values of its joints, and what it holds elsewhere.

        A robot without a floating base has nothing else and is not read, which costs milliseconds at 4096 environments.
        """
        if joints is not None and self._robot_cfg.base is None and columns == list(range(len(columns))):
            return self._rows.to(joints)
        rows = held().clone()
        if joints is not None:
            rows[:, columns] = joints
        return rows

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
        held = {f"{solver}/{name}": a for solver, r in state.solvers.items() for name, a in r.arrays.items()}
        self.require_arrays(tensors, {name: array.shape for name, array in {"steps": state.steps, **held}.items()})
        for solver, record in state.solvers.items():
            for name, current in record.arrays.items():
                value = tensors[f"{solver}/{name}"]
                record.arrays[name] = value.numpy() if isinstance(current, np.ndarray) else value.to(current.device)
        state.steps[:] = tensors["steps"]
        self._scene.sim.__setstate__(state)

    def _of_objects(self, getter: str, width: int) -> Tensor:
        if not self._objects:
            return self._no_objects[width]
        return self._rows.of(torch.stack([getattr(entity, getter)() for entity in self._objects], dim=1))

    def _look_at_the_default_pose(self) -> Tensor:
        """See that the robot is symmetric in it as the config says, and return the links' orientations."""
        everywhere = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        self.write(StateWrite(joint_pos=self.default_joint_pos.expand(self.num_envs, -1)), everywhere)
        read_back.mirror(self._robot, self._robot_cfg)
        quat_w = self.link_quat_w()[0].clone()
        self.reset(everywhere)
        return quat_w

    def _set_gains(self, robot: RobotCfg) -> None:
        for group in robot.actuators.values():
            dofs = [self._dofs[column] for column in self.names.joint_ids(robot.joints_of(group))]
            if group.armature is not None:
                self._robot.set_dofs_armature([group.armature] * len(dofs), dofs)
            if group.law == "explicit_pd":
                # Its force is computed by `Drives`.
                continue
            self._robot.set_dofs_kp([group.kp] * len(dofs), dofs)
            self._robot.set_dofs_kv([group.kv] * len(dofs), dofs)
            limits = [group.max_effort] * len(dofs)
            self._robot.set_dofs_force_range([-limit for limit in limits], limits, dofs)
