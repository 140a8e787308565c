"""A velocity task of the same model file in genesis-forge, of the terms that it comes with.

Same simulator, physics steps, gains, limits, observations and ranges of commands. It lacks what genesis-forge has no
term for, joint accelerations and joint limits, and pushes and the second observation group.
"""

from importlib.metadata import version

import genesis as gs
import torch
from genesis_forge import ManagedEnvironment
from genesis_forge.managers import (
    ActuatorManager,
    ContactManager,
    EntityManager,
    ObservationManager,
    PositionActionManager,
    RewardManager,
    TerminationManager,
    VelocityCommandManager,
)
from genesis_forge.mdp import observations, reset, rewards, terminations
from serve import arguments, serve


def last_action(env: ManagedEnvironment) -> torch.Tensor:
    """Zero before the first step, for which `observations.current_actions` has nothing."""
    return torch.zeros(env.num_envs, 12) if env.actions is None else env.actions


class Go1(ManagedEnvironment):
    """The robot on a plane."""

    def __init__(self, num_envs: int, model: str) -> None:
        """Describe the scene. `model` is the path of the robot's MJCF."""
        super().__init__(num_envs=num_envs, dt=0.02, max_episode_length_sec=20)
        options = gs.options.RigidOptions()
        self.scene = gs.Scene(
            sim_options=gs.options.SimOptions(dt=0.02, substeps=10), rigid_options=options, show_viewer=False
        )
        # genesis-forge 0.5.3 looks for them here, where Genesis 1.4.5 no longer has them.
        self.scene.rigid_options, self.scene.vis_options = options, None
        self.terrain = self.scene.add_entity(gs.morphs.Plane())
        self.robot = self.scene.add_entity(gs.morphs.MJCF(file=model))

    def config(self) -> None:
        """The managers, in the order in which genesis-forge wants them."""
        pose = {".*_hip_joint": 0.0, ".*_thigh_joint": 0.9, ".*_calf_joint": -1.8}
        limits = {".*_hip_joint": 23.7, ".*_thigh_joint": 23.7, ".*_calf_joint": 35.55}
        self.actuators = ActuatorManager(
            self, joint_names=[".*_joint"], default_pos=pose, kp=25.0, kv=0.5, max_force=limits
        )
        self.position = PositionActionManager(self, actuator_manager=self.actuators, scale=0.25)
        start = {"position": (0.0, 0.0, 0.42), "quat": (1.0, 0.0, 0.0, 0.0)}
        self.base = EntityManager(self, "robot", on_reset={"pose": {"fn": reset.position, "params": start}})
        unit = (-1.0, 1.0)
        self.velocity = VelocityCommandManager(
            self,
            range={"lin_vel_x": unit, "lin_vel_y": unit, "ang_vel_z": unit},
            resample_time_sec=5.5,
            standing_probability=0.1,
        )
        self.feet = ContactManager(self, link_names=[".*_calf"], with_entity_attr="terrain", track_air_time=True)
        self.thighs = ContactManager(self, link_names=[".*_thigh"], with_entity_attr="terrain")
        ends = {
            "timeout": {"fn": terminations.timeout, "time_out": True},
            "fell": {
                "fn": terminations.bad_orientation,
                "params": {"limit_angle": 70.0, "entity_manager": self.base},
            },
        }
        TerminationManager(self, logging_enabled=True, term_cfg=ends)
        base, follow = {"entity_manager": self.base}, {"vel_cmd_manager": self.velocity, "entity_manager": self.base}
        terms = {
            "track_lin_vel": (2.0, rewards.command_tracking_lin_vel, follow),
            "track_ang_vel": (1.0, rewards.command_tracking_ang_vel, follow),
            "lin_vel_z": (-2.0, rewards.lin_vel_z_l2, base),
            "ang_vel_xy": (-0.05, rewards.ang_vel_xy_l2, base),
            "flat_orientation": (-1.0, rewards.flat_orientation_l2, base),
            "base_height": (-1.0, rewards.base_height, {"target_height": 0.34}),
            "joint_torques": (-2e-4, rewards.dof_torque_l2, {"actuator_manager": self.actuators}),
            "action_rate": (-0.01, rewards.action_rate_l2, {}),
            "undesired_contacts": (-1.0, rewards.has_contact, {"contact_manager": self.thighs, "threshold": 1.0}),
            "air_time": (
                0.25,
                rewards.feet_air_time,
                {"contact_manager": self.feet, "time_threshold": 0.1, "vel_cmd_manager": self.velocity},
            ),
            "foot_slip": (-0.1, rewards.feet_slide, {"contact_manager": self.feet}),
        }
        RewardManager(
            self,
            cfg={name: {"weight": weight, "fn": fn, "params": given} for name, (weight, fn, given) in terms.items()},
        )
        joints = {"action_manager": self.position}
        ObservationManager(
            self,
            name="policy",
            cfg={
                "ang_vel": {"fn": observations.entity_angular_velocity, "params": base, "noise": 0.2},
                "gravity": {"fn": observations.entity_projected_gravity, "params": base, "noise": 0.05},
                "joint_pos": {"fn": observations.entity_dofs_position, "params": joints, "noise": 0.01},
                "joint_vel": {"fn": observations.entity_dofs_velocity, "params": joints, "noise": 1.5},
                "last_action": {"fn": last_action},
                "command": {"fn": self.velocity.observation},
            },
        )


if __name__ == "__main__":
    threads, num_envs, (model,) = arguments()
    torch.set_num_threads(threads)
    gs.init(backend=gs.cpu, logging_level="warning", seed=1)
    env = Go1(num_envs, model)
    env.build()
    env.reset()
    serve(f"genesis-forge {version('genesis-forge')}", 12, num_envs, env.step)
