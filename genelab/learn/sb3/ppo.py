"""PPO of Stable-Baselines3: its own update, watched, and the training loop of one seed around it."""

import math
import time
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from genelab.config.agent import PpoCfg
from genelab.envs.protocol import Env
from genelab.envs.step import Step
from genelab.learn.guard import UpdateGuard, clone_tree
from genelab.learn.policy import Layout
from genelab.learn.protocol import Metrics
from genelab.learn.sb3.base import Sb3Trainer
from genelab.learn.sb3.policy import ACTIVATIONS, PLAIN, build_normalizer, widths

LOSSES = {
    "loss/value": "train/value_loss",
    "loss/surrogate": "train/policy_gradient_loss",
    "loss/entropy": "train/entropy_loss",
    "kl": "train/approx_kl",
    "clip_fraction": "train/clip_fraction",
}
"""Columns of the learning curve by what the library calls them: means over the updates of an iteration, of the KL
divergence over those of the last pass."""


class Normalized(BaseFeaturesExtractor):
    """Normalises what both networks read."""

    def __init__(self, observation_space: spaces.Box, kind: str, layout: Layout) -> None:
        """Begin without statistics. `kind`: `agent.normalization`."""
        super().__init__(observation_space, observation_space.shape[0])
        own = build_normalizer(kind, layout)
        assert own is not None
        self.normalizer = own.normalizer

    def forward(self, observations: Tensor) -> Tensor:
        """Shapes: (rows, dim) -> (rows, dim)."""
        return self.normalizer(observations)


class GuardedPpo(PPO):
    """PPO whose update stops at the first value that is not finite."""

    guard: UpdateGuard
    """Watches the update that runs."""

    def set_up(self, env: Env) -> None:
        """Make networks, optimiser and rollout buffer for an environment, which the caller steps."""
        (dim,) = widths(env.layout(), PLAIN).values()
        self.observation_space = spaces.Box(-np.inf, np.inf, (dim,), np.float32)
        # Raw actions are not clipped, neither in training nor in evaluation.
        self.action_space = spaces.Box(-np.inf, np.inf, (env.num_actions,), np.float32)
        self.n_envs = env.num_envs
        self._setup_model()
        # The library logs to a folder of its own choice otherwise.
        self.set_logger(Logger(None, []))
        self.policy.optimizer.register_step_pre_hook(self._before_step)
        self.policy.optimizer.register_step_post_hook(self._after_step)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "guard"]

    def train(self) -> None:
        """Run the optimisation epochs over the rollout.

        Raises:
            FaultError: on the first value that is not finite. Weights may have changed then.
        """
        self.guard = guard = UpdateGuard()
        names = ("actions", "values", "log_probs", "rewards", "returns", "advantages")
        guard.by_environment([(f"rollout/{n}", torch.from_numpy(getattr(self.rollout_buffer, n))) for n in names])
        super().train()
        guard.mini_batch = None
        guard.finite([(name, torch.tensor(value)) for name, value in self.losses().items()])

    def losses(self) -> dict[str, float]:
        """What the last update logged."""
        return {name: float(self.logger.name_to_value[theirs]) for name, theirs in LOSSES.items()}

    def _before_step(self, *_: Any) -> None:
        """Every gradient is finite. Where their norm was not, clipping has spread that to all of them."""
        guard = self.guard
        guard.mini_batch = 0 if guard.mini_batch is None else guard.mini_batch + 1
        guard.finite([(f"gradient/{n}", w.grad) for n, w in self.policy.named_parameters() if w.grad is not None])

    def _after_step(self, *_: Any) -> None:
        self.guard.finite([(f"weight/{name}", weight) for name, weight in self.policy.named_parameters()])


def build_model(cfg: PpoCfg, env: Env) -> GuardedPpo:
    """Networks, optimiser and an empty rollout buffer. Seed the global generators before."""
    policy: dict[str, Any] = {
        "net_arch": {"pi": list(cfg.actor.hidden_dims), "vf": list(cfg.critic.hidden_dims)},
        "activation_fn": ACTIVATIONS[cfg.actor.activation],
        "log_std_init": math.log(cfg.init_std),
    }
    if cfg.normalization != "none":
        layout = {group: env.layout()[group] for group in PLAIN}
        policy["features_extractor_class"] = Normalized
        policy["features_extractor_kwargs"] = {"kind": cfg.normalization, "layout": layout}
    model = GuardedPpo(
        "MlpPolicy",
        None,  # pyright: ignore[reportArgumentType] it is stepped by the trainer
        learning_rate=cfg.learning_rate,
        n_steps=cfg.num_steps_per_env,
        # Rounded up, so that a rest makes no further mini-batch.
        batch_size=-(-cfg.num_steps_per_env * env.num_envs // cfg.num_mini_batches),
        n_epochs=cfg.num_learning_epochs,
        gamma=cfg.gamma,
        gae_lambda=cfg.lam,
        clip_range=cfg.clip_param,
        clip_range_vf=cfg.clip_param if cfg.use_clipped_value_loss else None,
        ent_coef=cfg.entropy_coef,
        vf_coef=cfg.value_loss_coef,
        max_grad_norm=cfg.max_grad_norm,
        policy_kwargs=policy,
        device=env.device,
        _init_setup_model=False,
    )
    model.set_up(env)
    return model


class Sb3PpoTrainer(Sb3Trainer):
    """Trains one policy, one iteration at a time."""

    def __init__(self, cfg: PpoCfg, config_sha256: str, env: Env, *, max_env_resets: int = 0) -> None:
        """Build the model and start the first episodes. Seed the global generators before.

        Args:
            cfg: the learner.
            config_sha256: digest of the task's config, for checkpoints.
            env: the task's environment; must deliver final observations.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.
        """
        super().__init__(cfg, config_sha256, env, max_env_resets)
        self._cfg = cfg
        self.model: GuardedPpo = build_model(cfg, env)
        self.observations = env.reset()

    def _iterate(self) -> Metrics:
        begin = time.perf_counter()
        cfg, model, env = self._cfg, self.model, self.env
        model.policy.set_training_mode(False)
        model.rollout_buffer.reset()
        self.guard.begin(self.observations)
        reward_sum = torch.zeros((), dtype=torch.float64, device=env.device)
        # Of the first step nothing reads it.
        first = np.zeros(env.num_envs, dtype=bool)
        with torch.no_grad():
            for _ in range(cfg.num_steps_per_env):
                rows = self.observations[PLAIN[0]]
                action, value, log_prob = model.policy(rows)
                step = self.guard.step(action)
                model.rollout_buffer.add(_array(rows), _array(action), self._learnt(step), first, value, log_prob)
                first = _array(step.terminated | step.truncated)
                reward_sum += step.reward.sum(dtype=torch.float64)
                self._episodes.note(step)
                self.observations = step.observations
            self.guard.end()
            last = model.policy.predict_values(self.observations[PLAIN[0]])
        model.rollout_buffer.compute_returns_and_advantage(last, first)
        collected = time.perf_counter()
        model.num_timesteps += cfg.num_steps_per_env * env.num_envs
        model.train()
        self._learn_statistics()
        end = time.perf_counter()
        episodes = self._episodes.row()
        row: Metrics = {
            "iteration": self.iteration,
            **episodes,
            "success_rate": self._episodes.success_rate,
            "step_reward": float(reward_sum) / (cfg.num_steps_per_env * env.num_envs),
            **model.losses(),
            "learning_rate": cfg.learning_rate,
            "action_std": float(model.policy.log_std.detach().exp().mean()),
            **env.metrics(),
            "collect_s": collected - begin,
            "update_s": end - collected,
            "steps_per_s": cfg.num_steps_per_env * env.num_envs / (end - begin),
        }
        self.iteration += 1
        return row

    def _learnt(self, step: Step) -> NDArray[Any]:
        """Scaled rewards. One that a time limit follows holds the value of the final state, too. Shape: (num_envs,)."""
        cfg, reward = self._cfg, self._cfg.reward_scale * step.reward
        # A broken state has no value.
        cut = step.truncated & ~step.terminated & ~step.broken
        # None where no episode ended.
        final = step.finished.observations
        if final is not None:
            value = self.model.policy.predict_values(final[PLAIN[0]]).flatten()
            reward = torch.where(cut, reward + cfg.gamma * value, reward)
        return _array(reward)

    def _learn_statistics(self) -> None:
        """Let a running normaliser see the rollout, after the update: until then the policy is the one that acted."""
        normalizer = getattr(self.model.policy.features_extractor, "normalizer", None)
        if self._cfg.normalization == "running" and normalizer is not None:
            rows = torch.as_tensor(self.model.rollout_buffer.observations, device=self.env.device)
            normalizer.update(rows.flatten(0, -2))
            self.model.guard.finite([(f"normaliser/{name}", value) for name, value in normalizer.named_buffers()])

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, as tensors and plain data."""
        return self._own_state() | {"optimizer": self.model.policy.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, so that training goes on bit-equal."""
        self._load_own_state(state)
        # An optimiser takes the tensors over as they are, and would write into the state.
        self.model.policy.optimizer.load_state_dict(clone_tree(state["optimizer"]))


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()
