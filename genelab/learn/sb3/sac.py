"""Soft actor-critics of Stable-Baselines3 and sb3-contrib: watched updates, and faster ones on a CPU."""

import math
import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import TQC
from sb3_contrib.common.utils import quantile_huber_loss
from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, Actor
from torch import Tensor, nn

from genelab.config.agent import OffPolicyCfg, TqcCfg
from genelab.envs.protocol import Env
from genelab.learn.guard import UpdateGuard
from genelab.learn.sb3.buffer import ReplayBuffer
from genelab.learn.sb3.policy import ACTIVATIONS, PLAIN, concatenated, widths

METRICS = ("loss/critic", "loss/actor", "q_value", "log_prob")
MIDDLE = (LOG_STD_MIN + LOG_STD_MAX) / 2.0
"""Between the bounds of the logarithm of the action's standard deviation."""
ADAM: dict[str, Any] = {"fused": True}
"""Options of both optimisers: one pass over the weights instead of a dozen."""
EPSILON = 1e-6
"""Keeps the logarithm in the density of a squashed action finite, as in Stable-Baselines3."""


class BoundedGuard(UpdateGuard):
    """Watches values that have bounds, beside what every update is watched for."""

    def bounded(self, name: str, value: Tensor, low: Tensor, high: Tensor) -> None:
        """Check that a tensor is finite and lies within bounds.

        Raises:
            FaultError: on the first value that does not.
        """
        self.finite([(name, value)])
        wrong = (value < low) | (value > high)
        if bool(wrong.any()):
            rule = f"must lie between {float(low):g} and {float(high):g}, which the rewards allow; the critics diverge"
            self._fail(name, value, wrong, rule)


class GuardedCritics(OffPolicyAlgorithm):
    """What SAC and TQC with a fixed entropy coefficient share. How critics learn, a subclass tells."""

    actor: Any
    critic: Any
    critic_target: Any
    ent_coef: Any
    reward_range: tuple[float, float] | None
    """Least and largest reward of one step, which bound the Q-values; None if nothing bounds them. Set it before the
    first update."""
    replay_buffer: Any
    """Where batches come from: a ReplayBuffer of this package, which is none of the library's."""
    guard: BoundedGuard
    """Watches the updates. The caller replaces it and counts on, as an iteration has several calls."""
    metrics: Tensor
    """Sums over the updates since the caller emptied it, in the order of METRICS."""
    weights: dict[str, nn.Parameter]
    """Every trained weight by the part that it belongs to and its name."""
    sample_s: float
    """Time spent in drawing batches since the caller emptied it, s."""

    @abstractmethod
    def future_values(self, q: Tensor) -> Tensor:
        """What is learnt from of the target critics' values of the next state.

        Shapes: as `q_values` returns them -> (rows,), or (quantiles, rows).
        """

    @abstractmethod
    def critic_loss(self, q: Tensor, target: Tensor) -> Tensor:
        """The loss of all critics. Shapes: as `q_values` and `future_values` return them -> ()."""

    @abstractmethod
    def action_values(self, q: Tensor) -> Tensor:
        """What the actor climbs. Shapes: as `q_values` returns them -> (rows,)."""

    def set_up(self, env: Env, buffer: ReplayBuffer) -> None:
        """Make networks and optimisers for an environment, which the caller steps, and learn from a buffer."""
        boxes: dict[str, spaces.Space[Any]] = {
            name: spaces.Box(-np.inf, np.inf, (dim,), np.float32)
            for name, dim in widths(env.layout(), buffer.groups).items()
        }
        self.observation_space = boxes[PLAIN[0]] if buffer.groups == PLAIN else spaces.Dict(boxes)
        self.n_envs = env.num_envs
        self.action_space = spaces.Box(-1.0, 1.0, (env.num_actions,), np.float32)
        self.replay_buffer = buffer
        self._setup_model()

    def _setup_model(self) -> None:
        super()._setup_model()
        self.start_counting()

    def start_counting(self) -> None:
        """Empty the sums, and number updates from 0."""
        self.guard, self.metrics, self.sample_s = BoundedGuard(), torch.zeros(len(METRICS), device=self.device), 0.0
        parts = {"critic": self.critic, "actor": self.actor}
        self.weights = {f"{p}/{n}": w for p, model in parts.items() for n, w in model.named_parameters()}

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "reward_range", "guard", "metrics", "sample_s", "weights"]

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Do `gradient_steps` updates, each on a batch of its own.

        Raises:
            FaultError: on the first loss, Q-value, gradient or weight that is not normal. Weights have changed then.
        """
        self.policy.set_training_mode(True)
        self._update_learning_rate([self.actor.optimizer, self.critic.optimizer])
        for _ in range(gradient_steps):
            begin = time.perf_counter()
            batch: Any = self.replay_buffer.sample(batch_size)
            self.sample_s += time.perf_counter() - begin
            mini_batch = self.guard.mini_batch
            self.guard.mini_batch = 0 if mini_batch is None else mini_batch + 1
            self._update(batch)
        self._n_updates += gradient_steps

    def _update(self, batch: Any) -> None:
        alpha, groups = float(self.ent_coef), self.replay_buffer.groups
        rows, next_rows = (concatenated(o, groups) for o in (batch.observations, batch.next_observations))
        action, log_prob, log_std = sample_action(self.actor, rows)

        # Critics
        with torch.no_grad():
            next_action, next_log_prob, _ = sample_action(self.actor, next_rows)
            next_q = self.future_values(q_values(self.critic_target, torch.cat([next_rows, next_action], 1)))
            target = batch.rewards[:, 0] + (1.0 - batch.dones[:, 0]) * self.gamma * (next_q - alpha * next_log_prob)
        q = q_values(self.critic, torch.cat([rows, batch.actions], 1))
        critic_loss = self.critic_loss(q, target)
        self.critic.optimizer.zero_grad()
        critic_loss.backward()
        self.critic.optimizer.step()

        # Actor: the critics' weights take no part in it.
        q_pi = frozen_q_values(self.critic, torch.cat([rows, action], 1))
        actor_loss = (alpha * log_prob - self.action_values(q_pi)).mean()
        self.actor.optimizer.zero_grad()
        actor_loss.backward()
        self.actor.optimizer.step()

        with torch.no_grad():
            targets: list[Tensor] = list(self.critic_target.parameters())
            # Public functions walk through the tensors one by one.
            torch._foreach_lerp_(targets, list[Tensor](self.critic.parameters()), self.tau)  # pyright: ignore
            q, log_prob, critic_loss, actor_loss = (t.detach() for t in (q, log_prob, critic_loss, actor_loss))
            log_probs = torch.cat([log_prob, next_log_prob])
            self._require_normal(log_probs, log_std.detach(), q, critic_loss, actor_loss)
            self.metrics += torch.stack([critic_loss, actor_loss, q.mean(), log_prob.mean()])

    def q_bounds(self, least: float, largest: float) -> tuple[float, float]:
        """Bounds that no Q-value of a sound critic leaves.

        A step earns its reward and, but for the first, the entropy bonus -ent_coef * log_prob; the extremes of both
        over an endless or a one-step episode bound the value. The extremes of a batch's log-probabilities, `least` and
        `largest`, stand for those of all actions. Critics are no better than their network: a young one extrapolates,
        and targets hold log-densities of policies that the batch does not show. So the bounds are moved apart by the
        whole width of the interval on either side: a critic that learns stays well within, and one that diverges grows
        without limit and is found a few updates later at three times the scale of the task. NaN if a log-probability
        is.
        """
        if self.reward_range is None:
            return -math.inf, math.inf
        discounted = self.gamma / (1.0 - self.gamma)
        bonus = (-float(self.ent_coef) * largest, -float(self.ent_coef) * least)
        low, high = (reward + discounted * (reward + b) for reward, b in zip(self.reward_range, bonus, strict=True))
        # In this order, in which NaN stays.
        low, high = min(low, self.reward_range[0]), max(high, self.reward_range[1])
        return low - (high - low), high + (high - low)

    def _require_normal(
        self, log_probs: Tensor, log_std: Tensor, q: Tensor, critic_loss: Tensor, actor_loss: Tensor
    ) -> None:
        """Look at everything at once, so that a GPU waits once per update; then, if it is not normal, one by one."""
        # A gradient that is not finite has made its weight so: the step is done.
        norms = torch._foreach_norm(list[Tensor](self.weights.values()))  # pyright: ignore
        looked_at = (
            *(critic_loss, actor_loss, torch.stack(norms).sum(), dead(log_std).sum().to(q.dtype)),
            *(*log_probs.aminmax(), *q.aminmax()),
        )
        numbers: list[float] = torch.stack(looked_at).tolist()
        *_, dead_stds, least, largest, lowest_q, highest_q = numbers
        low, high = self.q_bounds(least, largest)
        # Of a NaN among the bounds every comparison is false.
        if all(map(math.isfinite, numbers)) and dead_stds == 0.0 and low <= lowest_q and highest_q <= high:
            return
        bounds = (q.new_tensor(low), q.new_tensor(high))
        self._name_culprit(log_probs, log_std, q, bounds, (critic_loss, actor_loss))

    def _name_culprit(
        self,
        log_probs: Tensor,
        log_std: Tensor,
        q: Tensor,
        bounds: Sequence[Tensor],
        losses: Sequence[Tensor],
    ) -> None:
        """Check in the order in which the update computed."""
        guard = self.guard
        guard.finite([("action_log_std", log_std)])
        for number, column in enumerate(log_std.T):
            # One row within its bounds keeps the whole column alive.
            nearest = column[(column - MIDDLE).abs().argmin()]
            guard.within(f"action_log_std/{number}", nearest, LOG_STD_MIN, LOG_STD_MAX)
        guard.finite([("log_prob", log_probs)])
        for number, value in enumerate(q):
            guard.bounded(f"q_value/critic_{number}", value, *bounds)
        for part, loss in zip(("critic", "actor"), losses, strict=True):
            guard.finite([(f"loss/{part}", loss)])
            named = {name: weight for name, weight in self.weights.items() if name.startswith(part)}
            guard.finite([(f"gradient/{n}", w.grad) for n, w in named.items() if w.grad is not None])
            guard.finite([(f"weight/{n}", weight) for n, weight in named.items()])


class GuardedSac(GuardedCritics, SAC):
    """SAC. One update is that of Stable-Baselines3 up to the rounding of floats."""

    def future_values(self, q: Tensor) -> Tensor:
        """The smaller value. Shapes: (critics, rows) -> (rows,)."""
        return q.amin(0)

    def critic_loss(self, q: Tensor, target: Tensor) -> Tensor:
        """Half the mean square, summed over the critics. Shapes: (critics, rows), (rows,) -> ()."""
        return 0.5 * (q - target).square().mean(1).sum()

    def action_values(self, q: Tensor) -> Tensor:
        """The smaller value. Shapes: (critics, rows) -> (rows,)."""
        return q.amin(0)


class GuardedTqc(GuardedCritics, TQC):
    """TQC. One update is that of sb3-contrib up to the rounding of floats."""

    def future_values(self, q: Tensor) -> Tensor:
        """The lower quantiles of all critics together. Shapes: (critics, rows, quantiles) -> (kept, rows)."""
        pooled = q.transpose(0, 1).flatten(1).sort(1).values
        return pooled[:, : pooled.shape[1] - len(q) * self.top_quantiles_to_drop_per_net].T

    def critic_loss(self, q: Tensor, target: Tensor) -> Tensor:
        """The quantile Huber loss. Shapes: (critics, rows, quantiles), (kept, rows) -> ()."""
        return quantile_huber_loss(q.transpose(0, 1), target.T.unsqueeze(1), sum_over_quantiles=False)

    def action_values(self, q: Tensor) -> Tensor:
        """The mean. Shapes: (critics, rows, quantiles) -> (rows,)."""
        return q.mean(2).mean(0)


def build_model(cfg: OffPolicyCfg, env: Env, buffer: ReplayBuffer, reward_range: tuple[float, float] | None) -> Any:
    """Networks and optimisers: a `GuardedCritics`. Seed the global generators before.

    Args:
        cfg: the learner.
        env: what the caller steps.
        buffer: what it learns from.
        reward_range: least and largest reward of a step; None if nothing bounds them.
    """
    policy: dict[str, Any] = {
        "net_arch": {"pi": list(cfg.actor.hidden_dims), "qf": list(cfg.critic.hidden_dims)},
        "activation_fn": ACTIVATIONS[cfg.actor.activation],
        "optimizer_kwargs": ADAM,
    }
    own: dict[str, Any] = {}
    if isinstance(cfg, TqcCfg):
        policy["n_quantiles"] = cfg.n_quantiles
        own["top_quantiles_to_drop_per_net"] = cfg.top_quantiles_to_drop_per_net
    model = (GuardedTqc if isinstance(cfg, TqcCfg) else GuardedSac)(
        "MlpPolicy" if cfg.her is None else "MultiInputPolicy",
        None,  # pyright: ignore[reportArgumentType] it is stepped by the trainer
        learning_rate=cfg.learning_rate,
        buffer_size=cfg.buffer_size,
        learning_starts=cfg.learning_starts,
        batch_size=cfg.batch_size,
        tau=cfg.tau,
        gamma=cfg.gamma,
        gradient_steps=cfg.gradient_steps,
        # What a saved model names, so that any user of the library can open it.
        replay_buffer_class=None if cfg.her is None else HerReplayBuffer,
        replay_buffer_kwargs=None if cfg.her is None else cfg.her.model_dump(),
        ent_coef=cfg.ent_coef,  # pyright: ignore[reportArgumentType] a number is meant to be one
        # Of no use to a fixed coefficient. By default the library asks its environment for it.
        target_entropy=float(-env.num_actions),
        policy_kwargs=policy,
        device=env.device,
        _init_setup_model=False,
        **own,
    )
    model.set_up(env, buffer)
    # The library logs to a folder of its own choice otherwise.
    model.set_logger(Logger(None, []))
    model.reward_range = reward_range
    return model


def sample_action(actor: Actor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A squashed Gaussian action, its log-density, and the logarithm of its standard deviation before it is clamped.

    Shapes: (rows, inputs) -> (rows, num_actions), (rows,), (rows, num_actions).

    Uses that the noise is known: the library recovers it by a division that cancels out.
    """
    latent: Tensor = actor.latent_pi(rows)
    mean = actor.mu(latent)
    assert isinstance(actor.log_std, nn.Linear)
    raw: Tensor = actor.log_std(latent)
    log_std = raw.clamp(LOG_STD_MIN, LOG_STD_MAX)
    noise = torch.randn_like(mean)
    action = torch.tanh(mean + log_std.exp() * noise)
    normal = -0.5 * noise.square() - log_std - 0.5 * math.log(2.0 * math.pi)
    return action, (normal - torch.log(1.0 - action.square() + EPSILON)).sum(1), raw


def dead(log_std: Tensor) -> Tensor:
    """Which actions have a standard deviation on or beyond a bound in every row, where its gradient is exactly 0.

    Shapes: (rows, num_actions) -> (num_actions,) bool.
    """
    return ((log_std <= LOG_STD_MIN) | (log_std >= LOG_STD_MAX)).all(0)


def q_values(critic: Any, rows: Tensor) -> Tensor:
    """Values of all critics, of TQC their quantiles.

    Shapes: (rows, inputs with action) -> (critics, rows), or (critics, rows, quantiles).
    """
    return torch.stack([network(rows).squeeze(1) for network in critic.q_networks])


def frozen_q_values(critic: Any, rows: Tensor) -> Tensor:
    """As `q_values`, with a gradient for `rows` alone: none is computed for the weights."""
    return torch.stack([_frozen(network, rows).squeeze(1) for network in critic.q_networks])


def _frozen(mlp: nn.Sequential, rows: Tensor) -> Tensor:
    for layer in mlp:
        if isinstance(layer, nn.Linear):
            rows = nn.functional.linear(rows, layer.weight.detach(), layer.bias.detach())
        else:
            rows = layer(rows)
    return rows
