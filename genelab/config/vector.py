"""An environment that is no scene of ours: a function makes what simulates it, and the config says what it shows."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from genelab.config.base import Cfg, FuncRef, Param, broken_rule
from genelab.config.scene import EngineName
from genelab.config.terms import MeasureCfg, ObservationGroupCfg, ObservationTermCfg
from genelab.config.timed import TimedCfg

GROUPS = ("policy", "critic")
"""Names under which learners ask for the observation. Every one of them is all of it."""


class ColumnsCfg(Cfg):
    """Some columns of the observation."""

    columns: tuple[str, ...] = Field(min_length=1)
    """Their names."""
    unit: str | None = None
    """Unit of all of them, empty for numbers without one; null where it is unknown or they differ."""


class VectorEnvCfg(TimedCfg):
    """A vectorised environment that a function makes, such as one of gymnasium.

    Actions lie in [-1, 1] and are cut to it. What they mean is the maker's business.
    """

    make: FuncRef
    """Function of this config and a number of environments; returns a `genelab.envs.simulations.Simulations`."""
    params: dict[str, Param] = {}
    """What else the function reads."""
    simulator: Literal["mujoco", "gymnasium"]
    """What simulates it."""
    packages: tuple[str, ...] = ()
    """Distributions that it depends on beside those of its simulator. A record has their versions."""
    step_s: PositiveFloat = 1.0
    """Control period, s; 1 where the environment has no time of its own."""
    episode_steps: PositiveInt
    """Control steps until an episode is truncated."""
    observation: dict[str, ColumnsCfg] = Field(min_length=1)
    """The observation by parts, in order."""
    action: tuple[str, ...] = Field(min_length=1)
    """Names of the action's columns."""
    start_draws: NonNegativeInt
    """Uniform random numbers that the start of an episode takes."""
    resume: Literal["exact", "none"] = "exact"
    """Whether the simulation can be saved and restored to the last bit, which every training checks. With `none`,
    a training that is continued begins new episodes, so it is another one."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for field, names in (
            ("action", list(self.action)),
            ("observation", [column for part in self.observation.values() for column in part.columns]),
        ):
            if len(set(names)) != len(names):
                raise broken_rule(field, names, "must name every column once")
        return self

    @property
    def engine(self) -> EngineName:
        """What simulates it."""
        return self.simulator

    @property
    def control_dt(self) -> float:
        """Control period, s."""
        return self.step_s

    @property
    def reward_unit(self) -> object:
        """Equal for two environments whose rewards mean the same."""
        return self.make, self.params

    @property
    def terrain(self) -> None:
        """There is none to be told of."""
        return None

    @property
    def length_s(self) -> float:
        """Time limit of an episode, s."""
        return self.episode_steps * self.step_s

    @property
    def action_columns(self) -> tuple[str, ...]:
        """Names of the action's columns."""
        return self.action

    @property
    def observations(self) -> dict[str, ObservationGroupCfg]:
        """The observation as groups of terms, for layouts and contracts. The function of every term is the maker."""
        terms = dict.fromkeys(self.observation, ObservationTermCfg(func=self.make, params=self.params))
        return dict.fromkeys(GROUPS, ObservationGroupCfg(terms=terms, noise=False))

    @property
    def measures(self) -> dict[str, MeasureCfg]:
        """Nothing is measured beside the return."""
        return {}

    @property
    def goal(self) -> None:
        """Nothing is to be reached that could be another."""
        return None
