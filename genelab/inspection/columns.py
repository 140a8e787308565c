"""What the columns of observations and actions are called, and what is known of them before a value is seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from genelab.config.actions import DifferentialIkCfg
from genelab.config.env import EnvCfg
from genelab.config.stage import AnyEnvCfg
from genelab.config.terms import ObservationGroupCfg
from genelab.config.vector import VectorEnvCfg
from genelab.records.demos import ActionColumn, Bounds, LayoutRow


@dataclass(frozen=True)
class Column:
    """One dimension. A raw number is what the environment hands out or takes; value = shift + factor x raw."""

    name: str
    factor: float = 1.0
    shift: float = 0.0
    bounds: Bounds | None = None
    """Lowest and highest value expected, in the unit of the value."""
    clip: Bounds | None = None
    """Limits that the value is cut to, in its unit; None where nothing cuts it."""
    noise: float | None = None
    """Half width of the uniform noise in the raw number; None for none, or where it is not known."""
    is_action: bool = False


def observation_columns(
    rows: Sequence[LayoutRow],
    cfg: ObservationGroupCfg | None = None,
    *,
    noise: bool = False,
    normalized: bool = False,
) -> list[Column]:
    """Columns of an observation group.

    Args:
        rows: its layout.
        cfg: its config, if it is known.
        noise: whether the noise of the config is on.
        normalized: whether the numbers claim to be normalised. They then have no unit, and bounds mean nothing.
    """
    columns: list[Column] = []
    for row in rows:
        half_width = cfg.terms[row.name].noise if cfg is not None and cfg.noise and noise else None
        for k, part in enumerate(row.columns or range(row.stop - row.start)):
            name = f"{row.name}[{part}]"
            if normalized:
                columns.append(Column(name))
                continue
            # A scale of 0 leaves no way back to the value; the column is constant then.
            lost = row.scale == 0.0
            columns.append(
                Column(
                    name,
                    factor=1.0 if lost else 1.0 / row.scale,
                    bounds=row.bounds[k] if row.bounds and not lost else None,
                    clip=row.clip[k] if row.clip and not lost else None,
                    noise=abs(row.scale) * half_width if half_width else None,
                )
            )
    return columns


def target_columns(env: AnyEnvCfg) -> list[Column]:
    """Columns of the actions of an environment.

    The value of each is what it asks for: a joint's target, m or rad, or with `differential_ik` the displacement of the
    link and of the fingers in one control step, m, which is cut. Of an environment that is no scene it is the action
    itself, which is cut as well.
    """
    if isinstance(env, VectorEnvCfg):
        return [Column(name, factor=1.0, clip=(-1.0, 1.0), is_action=True) for name in env.action]
    if isinstance(env.action, DifferentialIkCfg):
        scales = (*[env.action.scale] * 3, env.action.gripper.scale)
        pairs = zip(env.action_columns, scales, strict=True)
        return [Column(name, factor=scale, clip=(-scale, scale), is_action=True) for name, scale in pairs]
    return [_target_column(env, joint, scale) for joint, scale in env.action_scale.items()]


def _target_column(env: EnvCfg, name: str, scale: float) -> Column:
    robot = env.robot
    if robot.actuator_of(name).law == "velocity":
        return Column(name, factor=scale, is_action=True)
    return Column(name, factor=scale, shift=robot.default_of(name), bounds=robot.range_of(name), is_action=True)


def demo_action_columns(actions: Sequence[ActionColumn] | None, width: int) -> list[Column]:
    """Columns of the actions of a demonstration file. The value of each is the action itself."""
    if actions is None:
        return [Column(f"action[{k}]", is_action=True) for k in range(width)]
    return [Column(each.name, bounds=each.bounds, clip=each.clip, is_action=True) for each in actions]
