"""Environments of gymnasium as simulations: every reset seeded, nothing reset by itself, restored to the last bit."""

import dataclasses
import functools
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces, wrappers
from gymnasium.envs.registration import EnvSpec, load_env_creator
from numpy.typing import NDArray

from genelab.config.base import Param
from genelab.config.vector import VectorEnvCfg
from genelab.draw.depiction import Picture
from genelab.envs.simulations import Floats, Outcome, SimulationsState
from genelab.errors import DivergedError, DrawError, InputError
from genelab.functions import resolve_function

mj: Any = mujoco  # its stubs name no classes

ACTION_REPEAT, KEYS, WRAPPERS = "action_repeat", "observation_keys", "wrappers"
_OWN = ("id", ACTION_REPEAT, KEYS, WRAPPERS)
DRAWN = "rgb_array"
"""Render mode of gymnasium that returns pictures."""
_GENERATOR = "np_random"


def make(cfg: VectorEnvCfg, num_envs: int) -> "GymSimulations":
    """Make the environments.

    Of `cfg.params`, `id` is the identifier; `action_repeat` how often an action is applied in a control step;
    `observation_keys` which parts of a `Dict` observation to take, in order; and `wrappers` names classes of
    `gymnasium.wrappers`, or `module:name` of a task package, the innermost first. The rest are keyword arguments of
    the environment.

    Raises:
        InputError: if there is no such environment, it takes no such argument, a space is not one of boxes, or two
            resets with one seed differ.
    """
    return GymSimulations(cfg, num_envs)


def made(params: Mapping[str, Param]) -> gymnasium.Env[Any, Any]:
    """One environment without a time limit. Raises InputError as `make`."""
    env_id = str(params["id"])
    told = f"gymnasium environment '{env_id}'"
    # Of MuJoCo, whose warnings would fill MUJOCO_LOG.TXT in whatever folder one works.
    log = mj.MjLogConfig.get()
    log.logto_file = False
    mj.MjLogConfig.set(log)
    kwargs: dict[str, Any] = {name: value for name, value in params.items() if name not in _OWN}
    try:
        # The limit is that of the config, the checks are ours, and what was restored was never reset.
        bare = dataclasses.replace(gymnasium.spec(env_id), max_episode_steps=None, order_enforce=False)
        drawn = {"render_mode": DRAWN} if DRAWN in _render_modes(bare) else {}
        env = gymnasium.make(bare, disable_env_checker=True, **drawn, **kwargs)
    # Environments of third parties may raise anything.
    except Exception as error:
        lines = str(error).split("\n")
        raise InputError(f"{told}: cannot be made with {kwargs or 'its defaults'}: {lines[0]}") from error
    for name in _texts(params, WRAPPERS):
        wrapper = resolve_function(name) if ":" in name else getattr(wrappers, name, None)
        if wrapper is None:
            raise InputError(f"env.params.wrappers = '{name}': is neither in gymnasium.wrappers nor a `module:name`")
        env = wrapper(env)
    if keys := _texts(params, KEYS):
        if not isinstance(env.observation_space, spaces.Dict) or set(keys) - set(env.observation_space):
            raise InputError(f"env.params.{KEYS} = {keys}: {told} shows {env.observation_space}")
        env = wrappers.FilterObservation(env, keys)
        kept: Any = env.observation_space
        env.observation_space = spaces.Dict([(key, kept[key]) for key in keys])
    shown, action = env.observation_space, env.action_space
    parts = list(shown.values()) if isinstance(shown, spaces.Dict) else [shown]
    if not all(isinstance(part, spaces.Box) for part in parts):
        raise InputError(f"{told}: shows {shown}; must be a Box, or a Dict of them")
    if not isinstance(action, spaces.Box) or not action.is_bounded():
        raise InputError(f"{told}: takes {action}; must be a Box with bounds")
    return env


def _render_modes(spec: EnvSpec) -> list[str]:
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    return getattr(creator, "metadata", {}).get("render_modes", [])


def _texts(params: Mapping[str, Param], name: str) -> list[str]:
    value = params.get(name, [])
    if not isinstance(value, list):
        raise InputError(f"env.params.{name} = {value!r}: must be a list of names")
    return [str(item) for item in value]


def action_repeat(params: Mapping[str, Param]) -> int:
    """How often an action is applied in a control step. Raises InputError if it is no number of times."""
    value = params.get(ACTION_REPEAT, 1)
    if not isinstance(value, int) or value < 1:
        raise InputError(f"env.params.{ACTION_REPEAT} = {value!r}: must be a whole number above 0")
    return value


class GymSimulations:
    """Environments of one identifier, one after the other in one process. See `genelab.envs.simulations`."""

    def __init__(self, cfg: VectorEnvCfg, num_envs: int) -> None:
        """As `make`."""
        self._told = f"gymnasium environment '{cfg.params['id']}'"
        self._saved = cfg.resume == "exact"
        self._repeat = action_repeat(cfg.params)
        self._envs = [made(cfg.params) for _ in range(num_envs)]
        action, shown = self._envs[0].action_space, self._envs[0].observation_space
        assert isinstance(action, spaces.Box)
        self._action, self._keys = action, list(shown) if isinstance(shown, spaces.Dict) else None
        self._low, self._width = action.low.astype(np.float64), action.high.astype(np.float64) - action.low
        self._columns = sum(len(part.columns) for part in cfg.observation.values())
        if (found := spaces.flatdim(shown)) != self._columns:
            raise InputError(f"env.observation: names {self._columns} columns, {self._told} shows {found}")
        if (found := spaces.flatdim(action)) != len(cfg.action):
            raise InputError(f"env.action: names {len(cfg.action)} columns, {self._told} takes {found}")
        first, again = (self._flat(self._envs[0].reset(seed=7)[0]) for _ in range(2))
        if not np.array_equal(first, again):
            raise InputError(f"{self._told}: two resets with one seed differ, so its episodes cannot be numbered")

    def start(self, rows: NDArray[np.int64], draws: Floats) -> Floats:
        """Begin episodes, each with a seed of 31 bits that its draws decide. See `Simulations.start`."""
        seeds = (draws[:, 0] * 2**24).astype(np.int64) * 2**7 + (draws[:, 1] * 2**7).astype(np.int64)
        shown = [self._flat(self._envs[row].reset(seed=int(seed))[0]) for row, seed in zip(rows, seeds, strict=True)]
        return np.stack(shown) if shown else np.empty((0, self._columns))

    def step(self, action: Floats) -> Outcome:
        """Apply actions, mapped from [-1, 1] to the bounds of the space. See `Simulations.step`."""
        commands = (action + 1.0) / 2.0 * self._width.ravel() + self._low.ravel()
        commands = commands.astype(self._action.dtype).reshape(-1, *self._action.shape)
        outcomes = [self._step_one(env, command) for env, command in zip(self._envs, commands, strict=True)]
        shown, reward, terminated, truncated = (np.array(column) for column in zip(*outcomes, strict=True))
        return Outcome(shown, reward, terminated, truncated, np.zeros(len(self._envs), dtype=np.bool_))

    def _step_one(self, env: gymnasium.Env[Any, Any], command: NDArray[Any]) -> tuple[Floats, float, bool, bool]:
        shown, reward, terminated, truncated, _ = env.step(command)
        total = float(reward)
        for _ in range(self._repeat - 1):
            if terminated or truncated:
                break
            shown, reward, terminated, truncated, _ = env.step(command)
            total += float(reward)
        return self._flat(shown), total, bool(terminated), bool(truncated)

    def _flat(self, shown: Any) -> Floats:
        if self._keys is None:
            flat = np.asarray(shown, dtype=np.float64).ravel()
        else:
            flat = np.concatenate([np.asarray(shown[key], dtype=np.float64).ravel() for key in self._keys])
        if len(flat) != self._columns:
            raise DivergedError(f"{self._told}: shows {len(flat)} numbers, its space has {self._columns}")
        return flat

    def state(self) -> SimulationsState:
        """What the environments hold: plain attributes, generators, and the arrays of MuJoCo's data."""
        if not self._saved:
            return {}
        text = json.dumps([_attributes(env.unwrapped) for env in self._envs])
        found: SimulationsState = {"attributes": np.frombuffer(text.encode(), dtype=np.uint8).copy()}
        rows = [_mujoco(env.unwrapped) for env in self._envs]
        if rows[0]:
            found["mujoco"] = np.stack([row.state() for row in rows if row])
        return found

    def restore(self, state: SimulationsState) -> None:
        """Return to what `state` returned. Parts of an environment that are none of these stay as they are."""
        attributes = json.loads(state["attributes"].tobytes())
        for row, env in enumerate(self._envs):
            inner = env.unwrapped
            for name, value in attributes[row].items():
                if name == _GENERATOR:
                    inner.np_random.bit_generator.state = value
                else:
                    setattr(inner, name, _decoded(value))
            if simulation := _mujoco(inner):
                simulation.restore(state["mujoco"][row])

    def picture(self) -> Picture:
        """Drawn by the environment itself. See `Simulations.picture`."""
        # What gymnasium draws MuJoCo with, without a screen.
        if sys.platform == "linux":
            os.environ.setdefault("MUJOCO_GL", "egl")
        try:
            drawn: Any = self._envs[0].render()
        # Drawing needs what is not installed or a screen, and every environment says so in its own way.
        except Exception as error:
            raise DrawError(f"{self._told}: cannot be drawn: {str(error).splitlines()[0]}") from error
        if not isinstance(drawn, np.ndarray):
            raise DrawError(f"{self._told}: has no render mode '{DRAWN}'")
        height, width = (size // 2 * 2 for size in drawn.shape[:2])
        return np.ascontiguousarray(drawn[:height, :width], dtype=np.uint8)

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()


def _attributes(env: Any) -> dict[str, Any]:
    """The attributes of an environment that are plain data, and the state of its generator."""
    found = {name: _encoded(value) for name, value in vars(env).items() if not name.startswith("_np_random")}
    plain = {name: value for name, value in found.items() if value is not None}
    return plain | {_GENERATOR: env.np_random.bit_generator.state}


def _encoded(value: Any) -> Any:
    """Plain data as JSON, in a list so that null can say that it is none."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return ["array", str(value.dtype), value.tolist()]
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return ["scalar", str(value.dtype), value.item()]
    if isinstance(value, tuple) and all(_encoded(item) is not None for item in value):
        return ["tuple", "", [_encoded(item) for item in value]]
    return ["plain", "", value] if value is None or isinstance(value, bool | int | float | str) else None


def _decoded(value: list[Any]) -> Any:
    kind, dtype, data = value
    match kind:
        case "array":
            return np.array(data, dtype=dtype)
        case "scalar":
            return np.dtype(dtype).type(data)
        case "tuple":
            return tuple(_decoded(item) for item in data)
        case _:
            return data


class _MujocoData:
    """Model and data of an environment that MuJoCo simulates."""

    STATE = mj.mjtState.mjSTATE_INTEGRATION

    def __init__(self, model: Any, data: Any) -> None:
        self._model, self._data = model, data
        self._size = mj.mj_stateSize(model, self.STATE)
        # What follows from the state lags a physics step behind it, and environments read it before they step.
        self._derived = [getattr(data, name) for name in _derived(model)]

    def state(self) -> Floats:
        """Shape: (numbers,)."""
        state = np.empty(self._size)
        mj.mj_getState(self._model, self._data, state, self.STATE)
        return np.concatenate([state, *(array.ravel() for array in self._derived)])

    def restore(self, state: Floats) -> None:
        """Shape: (numbers,)."""
        mj.mj_setState(self._model, self._data, state[: self._size].copy(), self.STATE)
        start = self._size
        for array in self._derived:
            array[...] = state[start : start + array.size].reshape(array.shape)
            start += array.size


@functools.lru_cache(maxsize=4)
def _derived(model: Any) -> list[str]:
    """Names of the arrays of data whose size the model decides. Those of contacts and constraints begin empty."""
    fresh = mj.MjData(model)
    arrays = {name: getattr(fresh, name) for name in dir(fresh) if not name.startswith("_")}
    return [
        n for n, array in arrays.items() if isinstance(array, np.ndarray) and array.dtype == np.float64 and array.size
    ]


def _mujoco(env: Any) -> _MujocoData | None:
    model, data = getattr(env, "model", None), getattr(env, "data", None)
    return _MujocoData(model, data) if isinstance(data, mj.MjData) and model is not None else None
