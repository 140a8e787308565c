"""What every environment's config tells, whatever simulates it."""

import math
from abc import abstractmethod

from genelab.config.base import Cfg
from genelab.config.scene import EngineName


class TimedCfg(Cfg):
    """An environment that is controlled at a fixed rate, in episodes of limited length."""

    @property
    @abstractmethod
    def engine(self) -> EngineName:
        """What simulates it."""

    @property
    @abstractmethod
    def control_dt(self) -> float:
        """Control period, s."""

    @property
    @abstractmethod
    def length_s(self) -> float:
        """Time limit of an episode, s."""

    @property
    def max_episode_steps(self) -> int:
        """Control steps until an episode is truncated."""
        return self.control_steps(self.length_s)

    def control_steps(self, seconds: float) -> int:
        """Control steps that cover a time, rounded up."""
        # Rounded first: 10.0 / (0.005 * 2) must give 1000 whatever the float division says.
        return math.ceil(round(seconds / self.control_dt, 6))
