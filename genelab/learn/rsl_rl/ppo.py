"""rsl_rl's PPO with an update that walks through each mini-batch in pieces that stay in the cache."""

from collections.abc import Mapping

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.modules.distribution import GaussianDistribution
from tensordict import TensorDict
from torch import Tensor, nn

from genelab.learn.guard import UpdateGuard
from genelab.learn.linear import forward
from genelab.mdp.mirror import Mirror

LOSSES = ("value", "surrogate", "entropy", "kl")


class MicrobatchPPO(PPO):
    """PPO whose mini-batch gradients are accumulated over pieces of `microbatch_rows`.

    The gradient is that of the whole mini-batch up to the order of float sums. On a CPU the update is bound by memory,
    and small pieces stay in the cache. Observations are normalised once per update, as the statistics change only at
    its end.
    """

    microbatch_rows: int = 2048
    """Rows per forward and backward pass."""
    mirrors: Mapping[str, Mirror] | None = None
    """Mirror images of the observation groups `policy` and `critic` and of the `action`, with which every mini-batch is
    doubled, as rsl_rl's data augmentation does: old values, advantages and log-densities are those of the original, and
    entropy and KL divergence are taken of the originals alone. None for no augmentation."""

    def update(self) -> dict[str, float]:
        """Run the optimisation epochs over the rollout and return the mean losses.

        Raises:
            FaultError: on the first value that is not finite, or an action noise on its bound.
        """
        st = self.storage
        size = st.num_envs * st.num_transitions_per_env // self.num_mini_batches
        observations = st.observations.flatten(0, 1)
        old = (st.values, st.returns, st.actions_log_prob, st.advantages, *st.distribution_params)  # pyright: ignore
        columns = [column.flatten(0, 1) for column in old]
        images = [self._inputs(observations, st.actions.flatten(0, 1), mirror=False)]
        if self.mirrors is not None:
            images.append(self._inputs(observations, st.actions.flatten(0, 1), mirror=True))
        order = torch.randperm(self.num_mini_batches * size, device=self.device)
        sums = torch.zeros(4, device=self.device)
        guard = UpdateGuard()
        guard.by_environment(self._collected())
        for epoch in range(self.num_learning_epochs):
            for number, rows in enumerate(order.split(size)):
                guard.mini_batch = epoch * self.num_mini_batches + number
                self.optimizer.zero_grad()
                losses = torch.zeros(4, device=self.device)
                for piece in rows.split(self.microbatch_rows):
                    for image, inputs in enumerate(images):
                        batch = [column[piece] for column in (*inputs, *columns)]
                        own = 1.0 / size if image == 0 else 0.0
                        losses += self._accumulate(batch, 1.0 / (len(images) * size), own)
                guard.finite([(f"loss/{name}", value) for name, value in zip(LOSSES, losses, strict=True)])
                self._adapt_learning_rate(losses[3])
                for part, model in self._models():
                    self._clip_gradient(guard, part, model)
                self.optimizer.step()
                self._check_weights(guard)
                sums += losses
        self.actor.update_normalization(observations)
        self.critic.update_normalization(observations)
        for part, model in self._models():
            guard.finite([(f"normaliser/{part}/{n}", value) for n, value in model.obs_normalizer.named_buffers()])
        st.clear()
        means = (sums / (self.num_learning_epochs * self.num_mini_batches)).tolist()
        return dict(zip(LOSSES, means, strict=True))

    def _models(self) -> list[tuple[str, MLPModel]]:
        return [("actor", self.actor), ("critic", self.critic)]  # pyright: ignore

    def _collected(self) -> list[tuple[str, Tensor]]:
        """What the update reads, in the order in which it was computed. Shape of each: (steps, num_envs, dim)."""
        st = self.storage
        names = ("mean", "std")
        parameters = [(f"action/{n}", value) for n, value in zip(names, st.distribution_params, strict=True)]  # pyright: ignore
        own = ("actions", "values", "actions_log_prob", "rewards", "returns", "advantages")
        return [*parameters, *((f"rollout/{name}", getattr(st, name)) for name in own)]

    def _clip_gradient(self, guard: UpdateGuard, part: str, model: MLPModel) -> None:
        """Limit the norm of a network's gradient. The same as clip_grad_norm_, which would spread one NaN to all."""
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if not bool(torch.isfinite(norm)):
            named = [(f"gradient/{part}/{n}", p.grad) for n, p in model.named_parameters() if p.grad is not None]
            guard.finite([*named, (f"gradient/{part}/norm", norm)])
        nn.utils.clip_grads_with_norm_(model.parameters(), self.max_grad_norm, norm)

    def _check_weights(self, guard: UpdateGuard) -> None:
        """Every weight is finite, and the action noise lies strictly within the bounds it is clamped to."""
        guard.finite([(f"weight/{part}/{n}", w) for part, model in self._models() for n, w in model.named_parameters()])
        distribution = self.actor.distribution
        assert isinstance(distribution, GaussianDistribution)
        guard.within("action/std", distribution.std_param, *distribution.std_range)

    @torch.no_grad()
    def _inputs(self, observations: TensorDict, actions: Tensor, *, mirror: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised inputs of actor and critic, and actions: those of the rollout, or their mirror images."""
        if mirror and self.mirrors is not None:
            groups = {name: self.mirrors[name](observations[name]) for name in ("policy", "critic")}
            observations = TensorDict(groups, batch_size=observations.batch_size)  # pyright: ignore
            actions = self.mirrors["action"](actions)
        return self.actor.get_latent(observations), self.critic.get_latent(observations), actions

    def _accumulate(self, batch: list[Tensor], weight: float, own_weight: float) -> Tensor:
        """Add one piece's share of the gradient; returns its share of (value loss, surrogate, entropy, KL).

        Args:
            batch: columns of the rows.
            weight: of each row in the losses.
            own_weight: of each row in entropy and KL divergence, 0 for mirror images.
        """
        actor_in, critic_in, actions, old_values, returns, old_log_prob, advantages, *old_params = batch
        distribution = self.actor.distribution
        assert distribution is not None
        distribution.update(forward(self.actor.mlp, actor_in))
        values = forward(self.critic.mlp, critic_in)
        advantages = advantages.squeeze(1)

        # Surrogate loss
        ratio = torch.exp(distribution.log_prob(actions) - old_log_prob.squeeze(1))
        clipped = ratio.clamp(1.0 - self.clip_param, 1.0 + self.clip_param)
        surrogate = torch.max(-advantages * ratio, -advantages * clipped).sum() * weight

        # Value loss
        value_loss = (values - returns).square()
        if self.use_clipped_value_loss:
            near = old_values + (values - old_values).clamp(-self.clip_param, self.clip_param)
            value_loss = torch.max(value_loss, (near - returns).square())
        value_loss = value_loss.sum() * weight

        entropy = distribution.entropy.sum() * own_weight
        (surrogate + self.value_loss_coef * value_loss - self.entropy_coef * entropy).backward()
        with torch.no_grad():
            kl = distribution.kl_divergence(tuple(old_params), distribution.params).sum() * own_weight
            return torch.stack([value_loss.detach(), surrogate.detach(), entropy.detach(), kl])

    def _adapt_learning_rate(self, kl: Tensor) -> None:
        """Steer the step size towards the desired KL divergence, by rsl_rl's rule."""
        if self.schedule != "adaptive":
            return
        mean = float(kl)
        if mean > self.desired_kl * 2.0:
            self.learning_rate = max(1e-5, self.learning_rate / 1.5)
        elif 0.0 < mean < self.desired_kl / 2.0:
            self.learning_rate = min(1e-2, self.learning_rate * 1.5)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
