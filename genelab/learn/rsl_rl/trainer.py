"""The training loop of PPO, and the exact state that a resume needs."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import Tensor

from genelab.config.agent import PpoCfg
from genelab.envs.protocol import Env
from genelab.envs.step import Observations
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.generators import generator_states, restore_generators
from genelab.learn.guard import clone_tree
from genelab.learn.protocol import Metrics
from genelab.learn.rollout import EpisodeWindow
from genelab.learn.rsl_rl.checkpoint import save
from genelab.learn.rsl_rl.networks import STD, build_actor, build_critic
from genelab.learn.rsl_rl.ppo import GuardedPPO
from genelab.learn.trainer import GuardedTrainer
from genelab.mdp.mirror import Mirror


class PpoTrainer(GuardedTrainer):
    """Trains one policy, one iteration at a time."""

    def __init__(
        self,
        cfg: PpoCfg,
        config_sha256: str,
        env: Env,
        *,
        max_env_resets: int = 0,
        mirrors: Mapping[str, Mirror] | None = None,
    ) -> None:
        """Build networks, optimiser and rollout storage. Seed the global generators before.

        Args:
            cfg: the learner.
            config_sha256: digest of the task's config, for checkpoints.
            env: the task's environment.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.
            mirrors: mirror images of the observation groups and of `action`, for `agent.symmetry`; None without it.
        """
        super().__init__(config_sha256, env, max_env_resets)
        self._steps, self._reward_scale = cfg.num_steps_per_env, cfg.reward_scale
        device = str(env.device)
        self._observations = self._tensordict(env.reset())
        storage = RolloutStorage("rl", env.num_envs, self._steps, self._observations, [env.num_actions], device)
        self.algorithm = GuardedPPO(
            build_actor(cfg, self._layout, env.num_actions),
            build_critic(cfg, self._layout),
            storage,
            num_learning_epochs=cfg.num_learning_epochs,
            num_mini_batches=cfg.num_mini_batches,
            clip_param=cfg.clip_param,
            gamma=cfg.gamma,
            lam=cfg.lam,
            value_loss_coef=cfg.value_loss_coef,
            entropy_coef=cfg.entropy_coef,
            learning_rate=cfg.learning_rate,
            max_grad_norm=cfg.max_grad_norm,
            use_clipped_value_loss=cfg.use_clipped_value_loss,
            schedule=cfg.schedule,
            desired_kl=cfg.desired_kl,
            device=device,
            mirrors=mirrors,
        )

    def _remember(self) -> dict[str, Any]:
        start = self.state_dict()
        # The rest is replaced, never changed in place; the simulator's arrays are copies already.
        return start | {"algorithm": clone_tree(start["algorithm"])}

    def _go_back(self, start: dict[str, Any]) -> None:
        super()._go_back(start)
        self.algorithm.storage.clear()
        self.algorithm.transition.clear()

    def _iterate(self) -> Metrics:
        begin = time.perf_counter()
        self.algorithm.train_mode()
        self.guard.begin(self._observations)  # pyright: ignore[reportArgumentType]
        reward_sum = torch.zeros((), dtype=torch.float64, device=self.env.device)
        with torch.inference_mode():
            for _ in range(self._steps):
                step = self.guard.step(self.algorithm.act(self._observations))
                self._observations = self._tensordict(step.observations)
                done = step.terminated | step.truncated
                self.algorithm.process_env_step(
                    self._observations,
                    self._reward_scale * step.reward,
                    done.to(torch.float32),
                    {"time_outs": step.truncated.float()},
                )
                reward_sum += step.reward.sum(dtype=torch.float64)
                self._episodes.note(step)
            self.guard.end()
            self.algorithm.compute_returns(self._observations)
        collected = time.perf_counter()
        episodes = self._episodes.row()
        losses = self.algorithm.update()
        end = time.perf_counter()
        row: Metrics = {
            "iteration": self.iteration,
            **episodes,
            "step_reward": float(reward_sum) / (self._steps * self.env.num_envs),
            **{f"loss/{name}": value for name, value in losses.items()},
            "learning_rate": self.algorithm.learning_rate,
            "action_std": float(self._action_std().mean()),
            **self.env.metrics(),
            "collect_s": collected - begin,
            "update_s": end - collected,
            "steps_per_s": self._steps * self.env.num_envs / (end - begin),
        }
        self.iteration += 1
        return row

    def actor(self) -> MLPModel:
        """The policy network in memory."""
        return self.algorithm.actor  # pyright: ignore

    def checkpoint(self) -> Checkpoint:
        """The policy as it stands."""
        return Checkpoint(
            config_sha256=self._config_sha256,
            iteration=self.iteration,
            layout=self._layout,
            actor=self.algorithm.actor.state_dict(),
            critic=self.algorithm.critic.state_dict(),
        )

    def save(self, path: Path) -> Checkpoint:
        """Write the policy as it stands, and return what the file holds.

        Raises:
            DivergedError: if a tensor holds a non-finite value; nothing is written.
        """
        checkpoint = self.checkpoint()
        save(path, checkpoint)
        return checkpoint

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, as tensors and plain data."""
        return {
            "iteration": self.iteration,
            "algorithm": self.algorithm.save(),
            "learning_rate": self.algorithm.learning_rate,
            "env": self.env.state_dict(),
            "observations": dict(self._observations.items()),
            "returns": list(self._episodes.returns),
            "lengths": list(self._episodes.lengths),
            "rng": generator_states(self.env.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, so that training goes on bit-equal."""
        self.iteration = state["iteration"]
        self.algorithm.load(state["algorithm"], None, True)
        self.algorithm.learning_rate = state["learning_rate"]
        self.env.load_state_dict(state["env"])
        self._observations = self._tensordict({n: t.to(self.env.device) for n, t in state["observations"].items()})
        self._episodes = EpisodeWindow(state["returns"], state["lengths"])
        restore_generators(state["rng"], self.env.device)

    def _action_std(self) -> Tensor:
        """Of the policy as it stands, or, if it goes by state, in the rollout."""
        constant = self.algorithm.actor.state_dict().get(STD)
        return self.algorithm.storage.distribution_params[1] if constant is None else constant  # pyright: ignore

    def _tensordict(self, observations: Observations) -> TensorDict:
        return TensorDict(observations, batch_size=[self.env.num_envs])  # pyright: ignore
