"""What the velocity tasks of the Unitree robots share. Numbers are those of the published GeneLab."""

from collections.abc import Mapping

from genelab.config.base import Param
from genelab.config.scene import SimCfg
from genelab.config.task import ProbeCfg
from genelab.config.terms import (
    CommandCfg,
    CurriculumCfg,
    IntervalEventCfg,
    MeasureCfg,
    ObservationTermCfg,
    RandomizationCfg,
    ResetEventCfg,
    RewardTermCfg,
    TerminationCfg,
)

COMMAND = "velocity"
ALL_AXES = ["x", "y", "turn"]
SIM = SimCfg(dt=0.002)
DECIMATION = 10
EPISODE_S = 20.0
TILT = 1.2217304763960306
"""70 degrees, rad."""
Bounds = Mapping[str, tuple[tuple[float, float], ...]]
"""By observation term, one pair for every column or one for all."""
BOUNDS: Bounds = {
    "base_ang_vel": ((-2.0, 2.0),),
    "projected_gravity": ((-0.5, 0.5), (-0.5, 0.5), (-1.0, 0.0)),
    "joint_pos": ((-1.0, 1.0),),
    "joint_vel": ((-15.0, 15.0),),
    "last_action": ((-6.0, 6.0),),
    "command": ((-1.0, 1.0),),
    "base_lin_vel": ((-1.0, 1.0),),
    "height_scan": ((-1.0, 1.0),),
}
"""Of the observation terms, as a walking robot has them."""


def reward(func: str, weight: float, **params: Param) -> RewardTermCfg:
    """A term of `genelab.mdp.locomotion`, or of the velocity family if it is about the command."""
    module = "genelab.families.velocity.terms" if "command" in params else "genelab.mdp.locomotion"
    return RewardTermCfg(func=f"{module}:{func}", weight=weight, params=params)


def observation(func: str, noise: float | None = None, **params: Param) -> ObservationTermCfg:
    """A term of `genelab.mdp.observations`."""
    return ObservationTermCfg(func=f"genelab.mdp.observations:{func}", noise=noise, params=params)


def randomization(func: str, **params: Param) -> RandomizationCfg:
    """A term of `genelab.mdp.randomizations`."""
    return RandomizationCfg(func=f"genelab.mdp.randomizations:{func}", params=params)


def commands(forward_share: float = 0.1, standing_share: float = 0.1) -> dict[str, CommandCfg]:
    """Velocities in all directions; one draw in ten straight ahead, one in ten to stand still, unless told."""
    params: dict[str, Param] = {
        "x_range": [-1.0, 1.0],
        "y_range": [-1.0, 1.0],
        "yaw_rate_range": [-1.0, 1.0],
        "forward_share": forward_share,
        "forward_min": 0.3,
        "standing_share": standing_share,
    }
    return {
        COMMAND: CommandCfg(func="genelab.families.velocity.commands:velocity", params=params, resample_s=(3.0, 8.0))
    }


def reset_events() -> dict[str, ResetEventCfg]:
    """Anywhere within half a metre, facing anywhere, at rest in the default pose."""
    base: dict[str, Param] = {
        "x_range": [-0.5, 0.5],
        "y_range": [-0.5, 0.5],
        "yaw_range": [-3.141592653589793, 3.141592653589793],
    }
    joints: dict[str, Param] = {"position_range": [0.0, 0.0], "velocity_range": [0.0, 0.0]}
    return {
        "base": ResetEventCfg(func="genelab.mdp.events:uniform_base_pose", params=base),
        "joints": ResetEventCfg(func="genelab.mdp.events:uniform_joint_state", params=joints),
    }


def terminations() -> dict[str, TerminationCfg]:
    """A fall."""
    return {"fell_over": TerminationCfg(func="genelab.mdp.terminations:tilt_above", params={"limit": TILT})}


def disturbances() -> dict[str, IntervalEventCfg]:
    """A push every one to three seconds."""
    params: dict[str, Param] = {"speed_range": [-0.5, 0.5], "yaw_rate_range": [-0.5, 0.5]}
    return {"push": IntervalEventCfg(func="genelab.mdp.events:push_base", params=params, interval_s=(1.0, 3.0))}


def measures() -> dict[str, MeasureCfg]:
    """How well the command is followed, and how far."""
    units = {"commanded_speed": "m/s", "speed_along_command": "m/s", "lin_vel_error": "m/s", "turn_error": "rad/s"}
    return {
        name: MeasureCfg(func=f"genelab.families.velocity.terms:{name}", params={"command": COMMAND}, unit=unit)
        for name, unit in units.items()
    }


def away_from_start(distance: float) -> MeasureCfg:
    """Share of the time that an episode spends further than this, m, from where it starts."""
    params: dict[str, Param] = {"distance": distance}
    return MeasureCfg(func="genelab.mdp.locomotion:away_from_start", params=params, unit="of the time")


def curriculum(max_start_level: int = 0) -> CurriculumCfg:
    """Levels of a terrain by the way that a robot makes of the commanded one."""
    params: dict[str, Param] = {"command": COMMAND, "max_start_level": max_start_level}
    return CurriculumCfg(func="genelab.families.velocity.curriculum:by_the_way_made", params=params)


OVERLAY = "genelab.families.velocity.overlay:Dial"
"""What is drawn beside films."""


def probe(fastest: float, turn: float, slow_turns: tuple[float, ...] = (0.2,)) -> ProbeCfg:
    """Each direction by itself: m/s along x and y, rad/s about z; then slow ones, which are harder to keep."""
    return ProbeCfg(
        command=COMMAND,
        achieved="genelab.families.velocity.terms:achieved",
        columns=("x", "y", "turn"),
        cases={
            "forward": (fastest, 0.0, 0.0),
            "backward": (-fastest, 0.0, 0.0),
            "left": (0.0, fastest, 0.0),
            "right": (0.0, -fastest, 0.0),
            "turn_left": (0.0, 0.0, turn),
            "turn_right": (0.0, 0.0, -turn),
            "left_slowly": (0.0, 0.3, 0.0),
            **{f"turn_at_{slow:g}".replace(".", "_"): (0.0, 0.0, slow) for slow in slow_turns},
        },
    )


def rewards(joints: list[str], base_height: float, forbidden: list[str]) -> dict[str, RewardTermCfg]:
    """The rewards that all of them have, for these joints, this height (m), and these links not to be touched."""
    return {
        "track_lin_vel": reward("track_lin_vel", 2.0, command=COMMAND, width=0.25),
        "track_ang_vel": reward("track_ang_vel", 1.0, command=COMMAND, width=0.25),
        "lin_vel_z": reward("lin_vel_z", -2.0),
        "ang_vel_xy": reward("ang_vel_xy", -0.05),
        "flat_orientation": reward("tilt", -1.0),
        "base_height": reward("base_height", -1.0, target=base_height),
        "joint_torques": reward("joint_torque", -2e-4, joints=joints),
        "joint_acc": reward("joint_acceleration", -1e-5, joints=joints),
        "action_rate": RewardTermCfg(func="genelab.mdp.rewards:action_rate", weight=-0.01),
        "joint_limits": reward("beyond_joint_limits", -1.0, joints=joints),
        "undesired_contacts": reward("touching", -1.0, links=forbidden, force=1.0),
    }


def air_time(weight: float, axes: list[str]) -> RewardTermCfg:
    """Feet that step, where asked to move along these axes."""
    return reward("feet_in_the_air", weight, command=COMMAND, air_range=[0.1, 0.5], threshold=0.1, axes=axes)


def foot_slip(weight: float) -> RewardTermCfg:
    """Feet that slide on the ground, where asked to move."""
    return reward("foot_slip", weight, command=COMMAND, threshold=0.05, axes=ALL_AXES)


def observations(joints: list[str]) -> dict[str, ObservationTermCfg]:
    """What both networks read, in order."""
    return {
        "base_ang_vel": observation("base_ang_vel", 0.2),
        "projected_gravity": observation("projected_gravity", 0.05),
        "joint_pos": observation("joint_pos_rel", 0.01, joints=joints),
        "joint_vel": observation("joint_vel_rel", 1.5, joints=joints),
        "last_action": observation("last_action"),
        "command": observation("command", command=COMMAND),
    }


def bounded(terms: dict[str, ObservationTermCfg], bounds: Bounds = BOUNDS) -> dict[str, ObservationTermCfg]:
    """The terms with their bounds."""
    return {name: term.model_copy(update={"bounds": bounds[name]}) for name, term in terms.items()}
