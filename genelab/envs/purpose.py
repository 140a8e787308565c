"""What an environment is made for: everything in which training, evaluation and probe differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from torch import Tensor

from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.config.terms import CurriculumCfg


@dataclass(frozen=True)
class Purpose:
    """Made by `training`, `evaluation` or `fixed`; a test may set single fields."""

    seed: int
    """Seed of the environment's streams."""
    numbered: bool
    """Whether a draw belongs to an episode number and the step within the episode, so that an episode is the same
    whichever environment runs it. Otherwise it belongs to an environment and the global step."""
    max_steps: int | None = None
    """Control steps per episode if fewer than the config's."""
    staggered: bool = False
    """Whether first episodes end at different times. See `TrainCfg.staggered`."""
    observation_noise: bool = True
    """Whether the noise of noisy groups applies."""
    disturbances: bool = True
    """Whether interval events happen, properties are drawn, and actions are late and noisy."""
    final_observations: bool = False
    """Whether steps in which an episode ends deliver the observations of final states."""
    reset_broken: bool = False
    """Whether an episode whose state, reward or observation is broken ends at once, as terminated, and is counted.
    The step earns 0, unless it is only the disturbance at its end that broke it."""
    measures: bool = False
    """Whether episodes tell what the config measures."""
    commands: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    """Commands that are not drawn, by name. Shape of each: (num_envs, dim)."""
    autoreset: bool = True
    """Whether the next episode follows one that ended. Otherwise the ended one goes on, whatever its state is."""
    episodes: Sequence[int] | None = None
    """Numbers of the episodes that begin first, one per environment; None for 0, 1, ..."""
    drawn_starts: float | None = None
    """Share of the start noise of a training with which numbered episodes start anywhere, of a task whose own all start
    alike; None for those."""
    frozen: bool = False
    """Whether the robot stands as it started, held by nothing and touching the ground with its feet: no physics."""
    curriculum: CurriculumCfg | None = None
    """How environments of a training move between the levels of a terrain; None to draw the level of every episode."""

    @classmethod
    def training(
        cls, task: TaskSpec, seed: int, *, final_observations: bool = False, reset_broken: bool = False
    ) -> Self:
        """Training, and whatever collects transitions as training does."""
        limit = task.train.episode_length_s
        return cls(
            seed,
            numbered=False,
            max_steps=None if limit is None else task.env.control_steps(limit),
            staggered=task.train.staggered,
            final_observations=final_observations,
            reset_broken=reset_broken,
            curriculum=task.train.curriculum,
        )

    @classmethod
    def evaluation(
        cls,
        task: TaskSpec,
        protocol: ProtocolCfg,
        *,
        episodes: Sequence[int] | None = None,
        drawn_starts: float | None = None,
        frozen: bool = False,
    ) -> Self:
        """Numbered episodes under a protocol: the draws of episode k depend on (protocol seed, k) alone."""
        return cls(
            protocol.seed,
            numbered=True,
            max_steps=task.env.control_steps(protocol.max_episode_s),
            observation_noise=protocol.observation_noise,
            # A push would never fade.
            disturbances=protocol.disturbances and not frozen,
            measures=True,
            episodes=episodes,
            drawn_starts=drawn_starts,
            frozen=frozen,
        )

    @classmethod
    def fixed(
        cls, seed: int, commands: Mapping[str, Tensor], episodes: Sequence[int], *, observation_noise: bool
    ) -> Self:
        """Fixed commands without disturbances or resets, one numbered episode per environment."""
        return cls(
            seed,
            numbered=True,
            observation_noise=observation_noise,
            disturbances=False,
            commands=commands,
            autoreset=False,
            episodes=episodes,
        )
