"""The training loop of one seed, and the exact state that a resume needs."""

import random
import time
from collections import deque
from typing import Any

import numpy as np
import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import Tensor

from genelab.config.task import TaskSpec
from genelab.envs.environment import Environment, Observations
from genelab.errors import DivergedError
from genelab.learn.checkpoint import Checkpoint, non_finite
from genelab.learn.policy import build_actor, build_critic
from genelab.learn.ppo import MicrobatchPPO

RETURN_WINDOW = 100
"""Finished episodes behind `episode_return` of the learning curve, as in rsl_rl."""

Metrics = dict[str, float | int | None]


class PpoTrainer:
    """Trains one policy, one iteration at a time."""

    def __init__(self, task: TaskSpec, config_sha256: str, env: Environment) -> None:
        """Build networks, optimiser and rollout storage. Seed the global generators before."""
        cfg = task.agent
        layout = env.layout()
        self.env = env
        self.iteration = 0
        """Iterations done."""
        self._config_sha256 = config_sha256
        self._layout = layout
        self._steps = cfg.num_steps_per_env
        device = str(env.device)
        self._observations = self._tensordict(env.reset())
        storage = RolloutStorage("rl", env.num_envs, self._steps, self._observations, [env.num_actions], device)
        self.algorithm = MicrobatchPPO(
            build_actor(cfg, layout, env.num_actions),
            build_critic(cfg, layout),
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
        )
        self.algorithm.microbatch_rows = cfg.microbatch_rows
        self._returns: deque[float] = deque(maxlen=RETURN_WINDOW)
        self._lengths: deque[int] = deque(maxlen=RETURN_WINDOW)

    def iterate(self) -> Metrics:
        """Collect one rollout and update the policy.

        Returns:
            A row of the learning curve: iteration (from 0), mean return and length of the last 100 finished episodes of
            the stochastic policy (null before the first), mean reward per control step, losses, times in s.

        Raises:
            DivergedError: if the mean reward, a loss or a weight is not finite.
        """
        begin = time.perf_counter()
        self.algorithm.train_mode()
        reward_sum = torch.zeros((), dtype=torch.float64, device=self.env.device)
        ended: list[tuple[Tensor, Tensor, Tensor]] = []
        with torch.inference_mode():
            for _ in range(self._steps):
                step = self.env.step(self.algorithm.act(self._observations))
                self._observations = self._tensordict(step.observations)
                done = step.terminated | step.truncated
                self.algorithm.process_env_step(
                    self._observations, step.reward, done.to(torch.float32), {"time_outs": step.truncated.float()}
                )
                reward_sum += step.reward.sum(dtype=torch.float64)
                ended.append((done, step.finished.episode_return, step.finished.length))
            self.algorithm.compute_returns(self._observations)
        collected = time.perf_counter()
        episodes = self._count_episodes(ended)
        mean_reward = float(reward_sum) / (self._steps * self.env.num_envs)
        if not np.isfinite(mean_reward):
            raise DivergedError(f"iteration {self.iteration}: the mean reward of the rollout is {mean_reward}")
        losses = self.algorithm.update()
        self._check_finite(losses)
        end = time.perf_counter()
        row: Metrics = {
            "iteration": self.iteration,
            "episode_return": float(np.mean(self._returns)) if self._returns else None,
            "episode_length": float(np.mean(self._lengths)) if self._lengths else None,
            "episodes_finished": episodes,
            "step_reward": mean_reward,
            **{f"loss/{name}": value for name, value in losses.items()},
            "learning_rate": self.algorithm.learning_rate,
            "action_std": float(self.algorithm.actor.state_dict()["distribution.std_param"].mean()),
            **{f"reward/{name}": value for name, value in self.env.term_means().items()},
            "collect_s": collected - begin,
            "update_s": end - collected,
            "steps_per_s": self._steps * self.env.num_envs / (end - begin),
        }
        self.iteration += 1
        return row

    def checkpoint(self) -> Checkpoint:
        """The policy as it stands."""
        return Checkpoint(
            config_sha256=self._config_sha256,
            iteration=self.iteration,
            layout=self._layout,
            actor=self.algorithm.actor.state_dict(),
            critic=self.algorithm.critic.state_dict(),
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, as tensors and plain data."""
        python_version, python_words, python_gauss = random.getstate()
        numpy_state: Any = np.random.get_state(legacy=True)
        numpy_name, numpy_words, *numpy_rest = numpy_state
        return {
            "iteration": self.iteration,
            "algorithm": self.algorithm.save(),
            "learning_rate": self.algorithm.learning_rate,
            "env": self.env.state_dict(),
            "observations": dict(self._observations.items()),
            "returns": list(self._returns),
            "lengths": list(self._lengths),
            "rng": {
                "python": [python_version, list(python_words), python_gauss],
                "numpy": [numpy_name, torch.from_numpy(numpy_words.astype(np.int64)), *numpy_rest],
                "torch": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state(self.env.device) if self.env.device.type == "cuda" else None,
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, so that training goes on bit-equal."""
        self.iteration = state["iteration"]
        self.algorithm.load(state["algorithm"], None, True)
        self.algorithm.learning_rate = state["learning_rate"]
        self.env.load_state_dict(state["env"])
        self._observations = self._tensordict({n: t.to(self.env.device) for n, t in state["observations"].items()})
        self._returns = deque(state["returns"], RETURN_WINDOW)
        self._lengths = deque(state["lengths"], RETURN_WINDOW)
        rng = state["rng"]
        version, words, gauss = rng["python"]
        random.setstate((version, tuple(words), gauss))
        name, keys, *rest = rng["numpy"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
        torch.set_rng_state(rng["torch"])
        if rng["cuda"] is not None:
            torch.cuda.set_rng_state(rng["cuda"], self.env.device)

    def _tensordict(self, observations: Observations) -> TensorDict:
        return TensorDict(observations, batch_size=[self.env.num_envs])  # pyright: ignore

    def _count_episodes(self, ended: list[tuple[Tensor, Tensor, Tensor]]) -> int:
        """Add the episodes that ended, in order of step and environment. Reads the device once per iteration."""
        done = torch.stack([entry[0] for entry in ended])
        self._returns.extend(torch.stack([entry[1] for entry in ended])[done].tolist())
        self._lengths.extend(torch.stack([entry[2] for entry in ended])[done].tolist())
        return int(done.sum())

    def _check_finite(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            if not np.isfinite(value):
                raise DivergedError(f"iteration {self.iteration}: the {name} loss is {value}")
        for part in (self.algorithm.actor, self.algorithm.critic):
            bad = non_finite(part.state_dict())
            if bad:
                raise DivergedError(f"iteration {self.iteration}: tensor '{bad}' is not finite after the update")
