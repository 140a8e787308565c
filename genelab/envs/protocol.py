"""What learners, evaluation, inspection and demonstrations know of an environment."""

from typing import Any, Protocol, Self

import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.draw.depiction import Depiction, Pose
from genelab.envs.parts.part import PartT
from genelab.envs.purpose import Purpose
from genelab.envs.step import Observations, Step
from genelab.envs.terms import Tap
from genelab.mdp.state import StateView


class Env(Protocol):
    """A vectorised environment, after gymnasium's vector API with same-step autoreset.

    A step that ends an episode returns the first observations of the next episode; what the ended one was stands in
    `Step.finished`.
    """

    num_envs: int
    """Parallel environments."""
    num_actions: int
    """Columns of an action."""
    device: torch.device
    """Device of every tensor."""
    max_steps: int
    """Control steps after which an episode is truncated."""
    resets_broken: bool
    """Whether broken environments are reset."""
    broken_count: Tensor
    """How often each environment was reset because it was broken, int64. Shape: (num_envs,)."""
    tap: Tap | None
    """Is shown every tensor of a step in the order in which it is computed, to find the first that is wrong."""

    @property
    def episode_step(self) -> Tensor:
        """Control steps since the episode began, int64. Shape: (num_envs,)."""
        ...

    def reset(self) -> Observations:
        """Begin anew: the first episode of every environment."""
        ...

    def step(self, action: Tensor) -> Step:
        """Apply raw actions for one control step. Shape: (num_envs, num_actions).

        Raises:
            DivergedError: if the simulator gives up, some steps after an environment met an error that was not reset.
        """
        ...

    def again(self, purpose: Purpose) -> Self:
        """Another environment over the same simulation, which costs no build. This one must not be used any more."""
        ...

    def reseed(self, seed: int) -> None:
        """Draw from another seed, from the next reset on."""
        ...

    @property
    def episode_number(self) -> Tensor:
        """Number of the running episode, int64. Shape: (num_envs,)."""
        ...

    def layout(self) -> dict[str, Any]:
        """What the observation vectors mean, by group, for checkpoints and exports."""
        ...

    def draw(self, stream: str, dim: int) -> Tensor:
        """Uniform draws of this step in [0, 1), the same whenever they are asked for. Shape: (num_envs, dim)."""
        ...

    def metrics(self) -> dict[str, float | int]:
        """What the learning curve tells of the steps since the last call.

        `reward/<term>` per control step, `termination/<cause>` in episodes, and more.
        """
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, the simulator included."""
        ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned, into an environment of the same config and size."""
        ...

    def close(self) -> None:
        """Free what the environment holds. Only this call may follow an error."""
        ...


class GoalEnv(Env, Protocol):
    """An environment whose reward follows from goals, so that it can be computed again for other goals."""

    reward_range: tuple[float, float] | None
    """Lowest and highest reward of a control step; None if a term has no bounds."""

    def compute_reward(self, achieved: Tensor, desired: Tensor) -> Tensor:
        """The reward of steps that led to `achieved`, judged by any goals.

        Shapes: (rows, dim), (rows, dim) -> (rows,).
        """
        ...

    def relabel(self, observation: Tensor, achieved: Tensor, desired: Tensor) -> Tensor:
        """Rows of the group `observation` as they would be with other goals.

        Shapes: (rows, columns), (rows, dim), (rows, dim) -> (rows, columns).
        """
        ...


class SceneEnv(GoalEnv, Protocol):
    """An environment over a simulated scene, which scripted controllers, probes, films and the live viewer look at."""

    cfg: EnvCfg
    """Its config."""

    def state(self) -> StateView:
        """The current state, read from the simulator."""
        ...

    def object_quat_w(self) -> Tensor:
        """Orientations of the objects, w x y z. Shape: (num_envs, num_objects, 4)."""
        ...

    def part(self, kind: type[PartT]) -> PartT:
        """The first part of a class, for controls that steer it. Raises StopIteration if there is none."""
        ...

    def pose(self) -> Pose:
        """Where robot and objects of the first environment are."""
        ...

    def depict(self, state: StateView) -> list[Depiction]:
        """What the parts add to a picture of the first environment."""
        ...
