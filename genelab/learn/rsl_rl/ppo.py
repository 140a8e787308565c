"""rsl_rl's PPO, watched: its own update, stopped at the first thing in it that is not normal."""

from collections.abc import Mapping
from typing import Any

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.extensions import Symmetry
from rsl_rl.models import MLPModel
from rsl_rl.modules.distribution import GaussianDistribution
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import Tensor

from genelab.learn.guard import UpdateGuard
from genelab.mdp.mirror import Mirror


class Mirrored(Symmetry):
    """Doubles every mini-batch by its mirror image, and adds no loss of its own."""

    def __init__(self, mirrors: Mapping[str, Mirror]) -> None:
        """`mirrors`: mirror images of the observation groups `policy` and `critic` and of the `action`."""
        super().__init__(None, self._images, use_data_augmentation=True)  # pyright: ignore[reportArgumentType]
        self._mirrors = mirrors

    def _images(self, env: None, obs: TensorDict, actions: Tensor) -> tuple[TensorDict, Tensor]:
        groups = {name: torch.cat([obs[name], self._mirrors[name](obs[name])]) for name in ("policy", "critic")}
        images = TensorDict(groups, batch_size=[2 * len(actions)])  # pyright: ignore[reportArgumentType]
        return images, torch.cat([actions, self._mirrors["action"](actions)])

    def compute_loss(self, actor: MLPModel, batch: RolloutStorage.Batch, original_batch_size: int) -> Tensor:
        """Nothing: rsl_rl would run the policy once more, for a number that takes no part in the update."""
        return torch.zeros(())


class GuardedPPO(PPO):
    """PPO whose update stops at the first value that is not finite, and at an action noise on its bound."""

    def __init__(self, *args: Any, mirrors: Mapping[str, Mirror] | None = None, **kwargs: Any) -> None:
        """As of rsl_rl. `mirrors`: mirror images that double every mini-batch; None for none."""
        super().__init__(*args, **kwargs)
        self.symmetry = None if mirrors is None else Mirrored(mirrors)
        self._guard = UpdateGuard()
        self.optimizer.register_step_pre_hook(self._before_step)
        self.optimizer.register_step_post_hook(self._after_step)

    def update(self) -> dict[str, float]:
        """Run the optimisation epochs over the rollout and return the mean losses.

        Raises:
            FaultError: on the first value that is not finite, or an action noise on its bound.
        """
        self._guard = guard = UpdateGuard()
        guard.by_environment(self._collected())
        losses = super().update()
        losses.pop("symmetry", None)
        guard.mini_batch = None
        guard.finite([(f"loss/{name}", torch.tensor(value)) for name, value in losses.items()])
        for part, model in self._models():
            guard.finite([(f"normaliser/{part}/{n}", value) for n, value in model.obs_normalizer.named_buffers()])
        return losses

    def _models(self) -> list[tuple[str, MLPModel]]:
        return [("actor", self.actor), ("critic", self.critic)]

    def _collected(self) -> list[tuple[str, Tensor]]:
        """What the update reads, in the order in which it was computed. Shape of each: (steps, num_envs, dim)."""
        st = self.storage
        names = ("mean", "std")
        parameters = [(f"action/{n}", value) for n, value in zip(names, st.distribution_params, strict=True)]  # pyright: ignore
        own = ("actions", "values", "actions_log_prob", "rewards", "returns", "advantages")
        return [*parameters, *((f"rollout/{name}", getattr(st, name)) for name in own)]

    def _before_step(self, *_: Any) -> None:
        """Every gradient is finite. Where the norm of a network's was not, clipping has spread that to all of them."""
        guard = self._guard
        guard.mini_batch = 0 if guard.mini_batch is None else guard.mini_batch + 1
        for part, model in self._models():
            guard.finite([(f"gradient/{part}/{n}", w.grad) for n, w in model.named_parameters() if w.grad is not None])

    def _after_step(self, *_: Any) -> None:
        """Every weight is finite, and the action noise lies strictly within the bounds it is clamped to."""
        guard = self._guard
        guard.finite([(f"weight/{part}/{n}", w) for part, model in self._models() for n, w in model.named_parameters()])
        distribution = self.actor.distribution
        # One that goes by state may lie on its bound in some states, and still move in others.
        if type(distribution) is GaussianDistribution:
            guard.within("action/std", distribution.std_param, *distribution.std_range)
