"""What the pendulum tasks have in common."""

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.scene import RobotCfg, SimCfg
from genelab.config.terms import ObservationGroupCfg, ObservationTermCfg, ResetEventCfg

SIM = SimCfg(dt=0.005, collision=False)
"""Nothing can touch within the joint limits."""
DECIMATION = 2
"""100 Hz control."""
POS = (0.0, 0.0, 0.12)
"""On top of 0.12 m in the file: the published tasks lifted the robot twice."""
CART_SPEED = 5.0
"""Bound of the cart's velocity, m/s: a step of the target by 1 m moves it at up to 4 m/s."""
RESET_EVENTS = {
    "joint_state": ResetEventCfg(
        func="genelab.mdp.events:uniform_joint_state",
        params={"position_range": [-0.05, 0.05], "velocity_range": [-0.05, 0.05]},
    )
}


def observations(
    robot: RobotCfg, limits: dict[str, float], hinge_speed: float, pole: str
) -> dict[str, ObservationGroupCfg]:
    """Both groups over the same terms.

    Args:
        robot: the robot, whose first joint is the cart's.
        limits: absolute position at which the episode ends, by joint, m or rad. Bounds with the joint's own range.
        hinge_speed: bound of a hinge's velocity, rad/s.
        pole: link whose angular velocity is measured.
    """
    names = list(robot.joints)
    ranges = {name: robot.range_of(name) or (-limits[name], limits[name]) for name in names}
    positions = [(max(low, -limits[name]), min(high, limits[name])) for name, (low, high) in ranges.items()]
    speeds = [CART_SPEED] + [hinge_speed] * (len(names) - 1)
    terms = {
        "joint_pos": ObservationTermCfg(
            func="genelab.mdp.observations:joint_pos_rel",
            params={"joints": names},
            noise=0.005,
            bounds=tuple(positions),
        ),
        "joint_vel": ObservationTermCfg(
            func="genelab.mdp.observations:joint_vel_rel",
            params={"joints": names},
            noise=0.05,
            scale=0.1,
            bounds=tuple((-speed, speed) for speed in speeds),
        ),
        "pole_ang_vel": ObservationTermCfg(
            func="genelab.mdp.observations:link_ang_vel",
            params={"link": pole},
            noise=0.1,
            scale=0.2,
            bounds=((-hinge_speed, hinge_speed),),
        ),
        # The cart's target, of which only the rail makes sense.
        "last_action": ObservationTermCfg(func="genelab.mdp.observations:last_action", bounds=(positions[0],)),
    }
    return {
        "policy": ObservationGroupCfg(terms=terms, noise=True),
        "critic": ObservationGroupCfg(terms=terms, noise=False),
    }


def agent(hidden_dims: tuple[int, ...], save_interval: int) -> PpoCfg:
    """The published PPO settings, which are the defaults but for the network and the save interval."""
    network = NetworkCfg(hidden_dims=hidden_dims)
    return PpoCfg(actor=network, critic=network, save_interval=save_interval)
