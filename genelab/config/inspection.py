"""How `genelab inspect` looks at a task or a checkpoint. Not part of the task."""

from pydantic import PositiveInt

from genelab.config.base import Cfg, Seed


class InspectCfg(Cfg):
    """The rollout behind an inspection. A demonstration file needs none."""

    num_envs: PositiveInt = 64
    """Parallel environments of the rollout."""
    steps: PositiveInt = 500
    """Control steps of each environment."""
    seed: Seed = 0
    """Seed of the rollout; episode k's draws depend on (seed, k) alone, as in an evaluation."""
