"""A built MuJoCo scene with one robot and free objects."""

import math
import time
from typing import Any

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.errors import DivergedError
from genelab.mdp.rotations import quat_apply_inverse
from genelab.mdp.state import StateWrite
from genelab.sim import read_back
from genelab.sim.actuators import Driven, ExplicitPd
from genelab.sim.facts import SceneFacts
from genelab.sim.mujoco.model import FORCE_SENSOR, GROUND, OBJECT, SELF_CONTACT, compile_scene
from genelab.sim.mujoco.properties import Store
from genelab.sim.properties import Properties
from genelab.sim.read_back import HeldRobot
from genelab.sim.session import Session

mj: Any = mujoco  # its stubs name no classes
Floats = NDArray[np.float64]


class Simulation(SceneFacts):
    """The `Engine` of MuJoCo. Computes in 64 bit; what it returns and takes is float32.

    Each environment is one row of `mujoco.batch`, so that no environment depends on how many there are.
    """

    def __init__(self, cfg: EnvCfg, num_envs: int, session: Session) -> None:
        """Build the scene.

        Args:
            cfg: the environment.
            num_envs: parallel environments.
            session: what the process runs on.

        Raises:
            InputError: if the model file is not the one that the config names, or the robot not symmetric as it says.
            RunError: if the scene holds something else than model file and config say.
        """
        begin = time.perf_counter()
        super().__init__(cfg, num_envs, session)
        # Its warnings go to the console as well; otherwise MUJOCO_LOG.TXT would grow in whatever folder one works.
        log = mj.MjLogConfig.get()
        log.logto_file = False
        mj.MjLogConfig.set(log)
        self._substeps = cfg.sim.substeps
        self._model: Any = compile_scene(cfg, self)
        self._batch: Any = Batch(self._model, num_envs, session.threads, persistent=True)
        self._find(cfg)
        self.properties = Properties(Store(self._batch, self._model, cfg, self.names.joints), cfg.robot, self.device)
        self._explicit = Driven(cfg, "explicit_pd", self.device)
        self._explicit_pd = ExplicitPd(cfg, self._explicit.joints, self.device)
        self._explicit_targets = [cfg.driven.index(name) for name in self._explicit.joints]
        self._explicit_columns = self.names.joint_ids(self._explicit.joints)
        self._targets = torch.zeros(num_envs, len(cfg.driven), device=self.device)
        self._forces = torch.zeros(num_envs, len(self.names.joints), device=self.device)
        """What explicit actuators exerted in the last physics step."""
        self._contact_force_w = np.zeros((num_envs, len(self.names.links), 3))
        """Kept apart, since a write leaves what the last step measured as it was."""
        self._self_contact_force = np.zeros(num_envs)
        self._stale = np.ones(num_envs, dtype=bool)
        """Where the state was written and nothing was derived from it yet."""
        self._warnings = np.zeros(num_envs)
        """Warnings of MuJoCo that are forgotten by now."""
        self._read_back(cfg)
        self.default_link_quat_w = self._look_at_the_default_pose()
        read_back.writes(self, cfg.robot.base)
        self.build_s = time.perf_counter() - begin

    def set_targets(self, targets: Tensor) -> None:
        """Set targets of the driven joints; they hold until set again. Shape: (num_envs, driven).

        Positions, m or rad, or velocities, m/s or rad/s, as the joints' actuators want.
        """
        self._targets = targets.clone()
        self._ctrl[:] = targets.numpy()

    def advance(self, steps: int, *, reset_failed: bool = False) -> Tensor:
        """Advance some physics steps. See `Engine.advance`."""
        self._derive()
        try:
            if self._explicit.joints:
                for _ in range(steps):
                    self._exert()
                    self._batch.step(nstep=self._substeps, stage=mj.mjtStage.mjSTAGE_VEL)
            else:
                self._batch.step(nstep=steps * self._substeps, stage=mj.mjtStage.mjSTAGE_VEL)
        except SimulationError as error:
            environments = [int(number) for number in error.ids]
            raise DivergedError(
                f"the simulator stopped in environment(s) {environments[:5]}: {error}", environments
            ) from error
        np.negative(self._forces_of_sensors[:, self._sensor_columns], out=self._contact_force_w)
        self._self_contact_force = np.linalg.norm(self._forces_of_sensors[:, self._self_contact_columns], axis=1)
        failed = self.error()
        if reset_failed and bool(failed.any()):
            self.reset(failed)
        return failed

    def error(self) -> Tensor:
        """Where MuJoCo warned: numbers that are not finite or far too large, or more contacts than fit.

        A reset clears it. Shape: (num_envs,) bool.
        """
        return torch.from_numpy(self._warned() > self._warnings)

    def joint_pos(self) -> Tensor:
        """Joint positions, m or rad. Shape: (num_envs, num_joints)."""
        return _tensor(self._qpos[:, self._joint_qpos])

    def joint_vel(self) -> Tensor:
        """Joint velocities, m/s or rad/s. Shape: (num_envs, num_joints)."""
        return _tensor(self._qvel[:, self._joint_dofs])

    def joint_torque(self) -> Tensor:
        """What the actuators exert within their limits, N or N m: in this state, or of explicit laws in the last step.

        Shape: (num_envs, num_joints).
        """
        gains = self.properties.gains
        torque = self._forces.clone()
        columns = self._implicit_columns
        pos, vel = self.joint_pos()[:, columns], self.joint_vel()[:, columns]
        kp, kv = gains["kp"][..., columns], gains["kv"][..., columns]
        target = self._targets[:, self._implicit_targets]
        wanted = torch.where(self._implicit_velocity, kv * (target - vel), kp * (target - pos) - kv * vel)
        torque[:, columns] = torch.minimum(torch.maximum(wanted, -self._implicit_limits), self._implicit_limits)
        return torque

    def link_pos_w(self) -> Tensor:
        """Positions of the links' origins, m. Shape: (num_envs, num_links, 3)."""
        return self._of_bodies("xpos", self._link_bodies)

    def link_quat_w(self) -> Tensor:
        """Link orientations, w x y z. Shape: (num_envs, num_links, 4)."""
        return self._of_bodies("xquat", self._link_bodies)

    def link_lin_vel_w(self) -> Tensor:
        """Velocities of the links' origins, m/s. Shape: (num_envs, num_links, 3)."""
        return self._lin_vel_w(self._link_bodies)

    def link_ang_vel_w(self) -> Tensor:
        """Angular velocities of the links, rad/s. Shape: (num_envs, num_links, 3)."""
        self._derive()
        return _tensor(self._batch.cvel[:, self._link_bodies, :3])

    def contact_force_w(self) -> Tensor:
        """Net contact forces on the links in the last physics step, N. Shape: (num_envs, num_links, 3)."""
        return _tensor(self._contact_force_w)

    def self_contact_force(self) -> Tensor:
        """Largest force of a contact between two links in the last physics step, N. Shape: (num_envs,)."""
        return _tensor(self._self_contact_force)

    def jacobian(self, link: str) -> Tensor:
        """Linear (m) and angular (rad) motion of a link's origin in the world frame, per unit of each joint.

        Shape: (num_envs, 6, num_joints).
        """
        self._derive()
        body = self._model.body(link).id
        joints = self._joint_ids
        axis = self._batch.xaxis[:, joints]
        arm = self._batch.xpos[:, body, None] - self._batch.xanchor[:, joints]
        slides = (self._model.jnt_type[joints] == mj.mjtJoint.mjJNT_SLIDE)[:, None]
        moves = np.isin(self._model.jnt_bodyid[joints], self._ancestors(body))[:, None]
        lin = np.where(slides, axis, np.cross(axis, arm)) * moves
        ang = np.where(slides, 0.0, axis) * moves
        return _tensor(np.concatenate([lin, ang], axis=2).transpose(0, 2, 1))

    def object_pos_w(self) -> Tensor:
        """Positions of the objects' centres, m. Shape: (num_envs, num_objects, 3)."""
        return self._of_bodies("xpos", self._object_bodies)

    def object_quat_w(self) -> Tensor:
        """Orientations of the objects, w x y z. Shape: (num_envs, num_objects, 4)."""
        return self._of_bodies("xquat", self._object_bodies)

    def object_lin_vel_w(self) -> Tensor:
        """Linear velocities of the objects, m/s. Shape: (num_envs, num_objects, 3)."""
        return self._lin_vel_w(self._object_bodies)

    def reset(self, mask: Tensor) -> None:
        """Forget everything about the masked environments, solver warm start included; properties stay.

        Shape: (num_envs,) bool.
        """
        where = mask.numpy()
        if not where.any():
            return
        self._batch.reset(np.flatnonzero(where), stage=mj.mjtStage.mjSTAGE_NONE)
        self._warnings[where] = self._warned()[where]
        self._contact_force_w[where] = 0.0
        self._self_contact_force[where] = 0.0
        self._targets = self._targets.masked_fill(mask[:, None], 0.0)
        self._forces = self._forces.masked_fill(mask[:, None], 0.0)
        self._stale |= where

    def write(self, write: StateWrite, mask: Tensor) -> None:
        """Write parts of the state where masked; everything else stays, velocities too. Shape: (num_envs,) bool."""
        where = np.flatnonzero(mask.numpy())
        rows = where[:, None]
        if write.joint_pos is not None:
            self._qpos[rows, self._joint_qpos] = write.joint_pos.numpy()[where]
        if write.joint_vel is not None:
            self._qvel[rows, self._joint_dofs] = write.joint_vel.numpy()[where]
        if write.base_pose_w is not None:
            self._qpos[rows, self._base_qpos] = write.base_pose_w.numpy()[where]
        if write.base_vel_w is not None:
            # The free joint turns in the frame of its link.
            quat_w = torch.from_numpy(self._qpos[:, self._base_qpos[3:]])
            ang_vel_b = quat_apply_inverse(quat_w, write.base_vel_w[:, 3:].double())
            self._qvel[rows, self._base_dofs[:3]] = write.base_vel_w[:, :3].numpy()[where]
            self._qvel[rows, self._base_dofs[3:]] = ang_vel_b.numpy()[where]
        for name, pose_w in write.object_pose_w.items():
            qpos, dofs = self._free_joint(OBJECT.format(name))
            self._qpos[rows, qpos] = pose_w.numpy()[where]
            self._qvel[rows, dofs] = 0.0
        self._stale[where] = True

    def state_dict(self) -> dict[str, Tensor]:
        """The exact state as named tensors: restored into an equally built scene, it goes on bit-equal."""
        return {
            "rows": torch.from_numpy(self._batch.state.copy()),
            "contact_force_w": torch.from_numpy(self._contact_force_w.copy()),
            "self_contact_force": torch.from_numpy(self._self_contact_force.copy()),
            "targets": self._targets.clone(),
            "forces": self._forces.clone(),
        }

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned, also after an error.

        Raises:
            InputError: if the state was taken from another scene.
        """
        self.require_arrays(tensors, {name: value.shape for name, value in self.state_dict().items()})
        self._batch.reset(stage=mj.mjtStage.mjSTAGE_NONE)
        self._batch.state[:] = tensors["rows"].numpy()
        self._contact_force_w[:] = tensors["contact_force_w"].numpy()
        self._self_contact_force[:] = tensors["self_contact_force"].numpy()
        self._forces = tensors["forces"].clone()
        self._targets = tensors["targets"].clone()
        self._warnings = self._warned()
        self._stale[:] = True

    def _find(self, cfg: EnvCfg) -> None:
        """Look up where everything stands in MuJoCo's arrays."""
        model, joints = self._model, [self._model.joint(name) for name in self.names.joints]
        self._joint_ids = np.array([joint.id for joint in joints])
        self._joint_qpos = np.array([joint.qposadr[0] for joint in joints])
        self._joint_dofs = np.array([joint.dofadr[0] for joint in joints])
        self._link_bodies = np.array([model.body(name).id for name in self.names.links])
        self._object_bodies = np.array([model.body(OBJECT.format(name)).id for name in self.names.objects], dtype=int)
        if cfg.robot.base is not None:
            self._base_qpos, self._base_dofs = self._free_joint(cfg.robot.base)
        sensors = [model.sensor(FORCE_SENSOR.format(name)).adr[0] for name in self.names.links]
        self._sensor_columns = np.array(sensors)[:, None] + np.arange(3)
        self._self_contact_columns = model.sensor(SELF_CONTACT).adr[0] + np.arange(3)
        self._qpos, self._qvel, self._ctrl = (self._batch.bind(name) for name in ("qpos", "qvel", "ctrl"))
        self._forces_of_sensors = self._batch.bind("sensordata")
        for name in ("xpos", "xquat", "cvel", "subtree_com", "xaxis", "xanchor"):
            self._batch.bind(name)
        groups = {name: cfg.robot.actuator_of(name) for name in cfg.driven}
        implicit = [name for name, group in groups.items() if group.law != "explicit_pd"]
        self._implicit_columns = torch.tensor(self.names.joint_ids(implicit), dtype=torch.int64)
        self._implicit_targets = torch.tensor([cfg.driven.index(name) for name in implicit], dtype=torch.int64)
        self._implicit_velocity = torch.tensor([groups[name].law == "velocity" for name in implicit], dtype=torch.bool)
        self._implicit_limits = torch.tensor([groups[name].max_effort for name in implicit])

    def _exert(self) -> None:
        """Set the forces of explicit actuators for one physics step."""
        columns = self._explicit_columns
        pos, vel = self.joint_pos()[:, columns], self.joint_vel()[:, columns]
        force = self._explicit_pd.force(self._explicit.of(self._targets), pos, vel, self.properties.gains)
        self._ctrl[:, self._explicit_targets] = force.numpy()
        self._forces[:, columns] = force

    def _derive(self) -> None:
        """Bring positions and velocities of links up to date where the state was written."""
        if self._stale.any():
            self._batch.forward(np.flatnonzero(self._stale), stage=mj.mjtStage.mjSTAGE_VEL)
            self._stale[:] = False

    def _of_bodies(self, field: str, bodies: NDArray[np.int64]) -> Tensor:
        self._derive()
        return _tensor(getattr(self._batch, field)[:, bodies])

    def _lin_vel_w(self, bodies: NDArray[np.int64]) -> Tensor:
        """MuJoCo tells velocities at the centre of mass of each tree."""
        if not bodies.size:
            # Most tasks have no objects, and few environments take as long as many here.
            return torch.zeros(self.num_envs, 0, 3)
        self._derive()
        batch, ang, lin = self._batch, *np.split(self._batch.cvel[:, bodies], 2, axis=2)
        arm = batch.xpos[:, bodies] - batch.subtree_com[:, self._model.body_rootid[bodies]]
        return _tensor(lin + np.cross(ang, arm))

    def _free_joint(self, body: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Columns of its pose and of its velocity."""
        joint = self._model.body(body).jntadr[0]
        qpos, dof = self._model.jnt_qposadr[joint], self._model.jnt_dofadr[joint]
        return np.arange(qpos, qpos + 7), np.arange(dof, dof + 6)

    def _ancestors(self, body: int) -> list[int]:
        """A body and those that carry it."""
        found = [body]
        while found[-1] != 0:
            found.append(int(self._model.body_parentid[found[-1]]))
        return found

    def _warned(self) -> Floats:
        """Warnings of every environment so far. Shape: (num_envs,)."""
        return self._batch.warning[:, :, 1].sum(axis=1).astype(np.float64)

    def _look_at_the_default_pose(self) -> Tensor:
        """See that the robot is symmetric in it as the config says, and return the links' orientations."""
        everywhere = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        self.write(StateWrite(joint_pos=self.default_joint_pos.expand(self.num_envs, -1)), everywhere)
        self._derive()
        model, robot = self._model, self._robot_cfg
        if robot.base is not None:
            pos, quat = (torch.from_numpy(self._qpos[:1, self._base_qpos[part]]) for part in (slice(3), slice(3, 7)))
            ids = dict(zip(robot.joints, self._joint_ids.tolist(), strict=True))
            anchors, axes = (torch.from_numpy(getattr(self._batch, field)[:1].copy()) for field in ("xanchor", "xaxis"))
            read_back.mirror(
                {name: quat_apply_inverse(quat, anchors[:, k] - pos)[0] for name, k in ids.items()},
                {name: quat_apply_inverse(quat, axes[:, k])[0] for name, k in ids.items()},
                [name for name, k in ids.items() if model.jnt_type[k] == mj.mjtJoint.mjJNT_SLIDE],
                robot,
            )
        quat_w = self.link_quat_w()[0].clone()
        self.reset(everywhere)
        return quat_w

    def _read_back(self, cfg: EnvCfg) -> None:
        model, dofs = self._model, self._joint_dofs
        ids = self._joint_ids
        endless = model.jnt_limited[ids] == 0
        held: dict[str, Any] = {
            "armature": model.dof_armature[dofs],
            "damping": model.dof_damping[dofs],
            "frictionloss": model.dof_frictionloss[dofs],
            "range[0]": np.where(endless, -math.inf, model.jnt_range[ids, 0]),
            "range[1]": np.where(endless, math.inf, model.jnt_range[ids, 1]),
            **self._held_gains(cfg),
        }
        robot = cfg.robot
        read_back.robot(
            HeldRobot(
                num_dofs=model.nv - 6 * len(cfg.objects),
                root=model.body(model.body_rootid[self._link_bodies[-1]]).name,
                masses={name: float(model.body(name).mass[0]) for name in self.names.links},
                joints=held,
            ),
            robot,
        )
        shares = model.body_gravcomp[self._link_bodies].tolist()
        fields = [("env.robot.gravity_compensation", share, robot.gravity_compensation) for share in shares]
        for name, box in cfg.objects.items():
            body = model.body(OBJECT.format(name))
            fields.append((f"env.objects.{name}.mass", float(body.mass[0]), box.mass))
            fields.append(
                (f"env.objects.{name}.friction", float(model.geom_friction[body.geomadr[0], 0]), box.friction)
            )
        if cfg.ground is not None:
            grounds = [geom for geom in map(model.geom, range(model.ngeom)) if geom.name.startswith(GROUND.format(""))]
            fields += [("env.ground.friction", float(geom.friction[0]), cfg.ground.friction) for geom in grounds]
        for name in cfg.driven:
            # The factor of the target; that of position and velocity stands beside it, and is compared as kp and kv.
            group = robot.actuator_of(name)
            factor = {"implicit_pd": group.kp, "velocity": group.kv, "explicit_pd": 1.0}[group.law]
            fields.append((f"actuator of '{name}'", float(model.actuator(name).gainprm[0]), factor))
        read_back.fields(fields)

    def _held_gains(self, cfg: EnvCfg) -> dict[str, list[float]]:
        """Gains and limits of all joints; the config's for a joint that nothing drives."""
        gains: dict[str, list[float]] = {"kp": [], "kv": [], "effort_limit[0]": [], "effort_limit[1]": []}
        for name in self.names.joints:
            group = cfg.robot.actuator_of(name)
            kp, kv, low, high = group.kp, group.kv, -group.max_effort, group.max_effort
            if name in cfg.driven:
                actuator = self._model.actuator(name)
                kp, kv = -actuator.biasprm[1], -actuator.biasprm[2]
                if actuator.forcelimited[0]:
                    low, high = actuator.forcerange
            for quantity, value in zip(gains, (kp, kv, low, high), strict=True):
                gains[quantity].append(float(value))
        return gains


def _tensor(values: Floats) -> Tensor:
    """A float32 copy."""
    return torch.from_numpy(values.astype(np.float32))
