"""Events: what is written at a reset or at random intervals. Each returns a `StateWrite` for all environments."""

from collections.abc import Sequence

from genelab.mdp.state import EventContext, StateWrite


def uniform_joint_state(
    context: EventContext, position_range: tuple[float, float], velocity_range: tuple[float, float]
) -> StateWrite:
    """Defaults plus uniform offsets in position (m or rad) and velocity (m/s or rad/s), for every joint."""
    joints = len(context.state.names.joints)
    draws = context.uniform(2 * joints)
    (pos_low, pos_high), (vel_low, vel_high) = position_range, velocity_range
    return StateWrite(
        joint_pos=context.state.default_joint_pos + (pos_low + (pos_high - pos_low) * draws[:, :joints]),
        joint_vel=vel_low + (vel_high - vel_low) * draws[:, joints:],
    )


def set_joint_velocity(context: EventContext, joints: Sequence[str], velocity_range: tuple[float, float]) -> StateWrite:
    """Replace the velocity of some joints by a uniform draw, m/s or rad/s; the others keep theirs."""
    joint_vel = context.state.joint_vel
    columns = context.state.names.joint_columns(joints, joint_vel.device)
    low, high = velocity_range
    drawn = low + (high - low) * context.uniform(len(joints))
    return StateWrite(joint_vel=joint_vel.index_copy(1, columns, drawn))
