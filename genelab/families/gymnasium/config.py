"""The config of a gymnasium environment, read from the environment itself."""

import gymnasium
from gymnasium import spaces

from genelab.config.base import Param
from genelab.config.vector import ColumnsCfg, VectorEnvCfg
from genelab.errors import InputError
from genelab.families.gymnasium.simulations import action_repeat, made

MAKE = "genelab.families.gymnasium.simulations:make"


def gym_env(
    env_id: str, *, episode_steps: int | None = None, packages: tuple[str, ...] = (), **params: Param
) -> VectorEnvCfg:
    """The config of an environment. Makes it once, to read its spaces.

    Args:
        env_id: its identifier at gymnasium.
        episode_steps: control steps until an episode is truncated; None for `max_episode_steps` of its registration.
        packages: installed distributions that it comes from, beside gymnasium, for the stamps of a record.
        params: `action_repeat`, `observation_keys` and `wrappers`; anything else is a keyword argument of the
            environment. See `genelab.families.gymnasium.simulations.make`.

    Raises:
        InputError: if there is no such environment, a package is missing, or a space is not one of boxes.
    """
    params = {"id": env_id, **params}
    env = made(params)
    limit = episode_steps or gymnasium.spec(env_id).max_episode_steps
    if limit is None:
        raise InputError(f"gymnasium environment '{env_id}': has no max_episode_steps, so episode_steps must be given")
    repeat = action_repeat(params)
    assert isinstance(env.action_space, spaces.Box)
    shown = env.observation_space
    parts = dict(shown.spaces) if isinstance(shown, spaces.Dict) else {"observation": shown}
    widths = {name: spaces.flatdim(part) for name, part in parts.items()}
    dt = getattr(env.unwrapped, "dt", None)
    env.close()
    return VectorEnvCfg(
        make=MAKE,
        params=params,
        simulator="gymnasium",
        packages=packages,
        step_s=float(dt) * repeat if isinstance(dt, float) else 1.0,
        episode_steps=-(-limit // repeat),
        observation={
            name: ColumnsCfg(columns=tuple(f"{name}_{k}" for k in range(width))) for name, width in widths.items()
        },
        action=tuple(f"action_{k}" for k in range(spaces.flatdim(env.action_space))),
        start_draws=2,
    )
