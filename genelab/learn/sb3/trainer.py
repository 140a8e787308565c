"""The training loop of one seed of soft actor-critic, and the exact state that a resume needs."""

import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genelab.config.agent import SacCfg
from genelab.envs.environment import Environment
from genelab.errors import DivergedError
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.diagnosis import first_culprit
from genelab.learn.guard import FINITE, START, Fault, FaultError, all_finite, clone_tree
from genelab.learn.sb3 import model_zip
from genelab.learn.sb3.demos import add_demonstrations
from genelab.learn.sb3.interface import GROUPS, GoalEnvironment, GoalStep, Observations
from genelab.learn.sb3.model import build_model
from genelab.learn.sb3.networks import concatenated, sample_action
from genelab.learn.sb3.policy import load_actor
from genelab.learn.sb3.replay import GoalReplayBuffer
from genelab.learn.sb3.rng import rng_state, set_rng_state
from genelab.learn.sb3.sac import METRICS
from genelab.learn.sb3.vec_env import GoalVecEnv, to_numpy

WINDOW = 100
"""Finished episodes behind `episode_return` and `success_rate` of the learning curve."""

Metrics = dict[str, float | int | None]


class SacTrainer:
    """Trains one policy, one iteration at a time."""

    def __init__(self, cfg: SacCfg, config_sha256: str, env: GoalEnvironment, *, max_env_resets: int = 0) -> None:
        """Build the model and start the first episodes. Seed the global generators before.

        Args:
            cfg: the learner.
            config_sha256: digest of the task's config, for checkpoints.
            env: the task's environment; must deliver final observations.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.

        Raises:
            InputError: if a setting cannot be met.
        """
        self.env = env
        self.iteration = 0
        """Iterations done."""
        self.checks_each_step = True
        """Whether a rollout stops at the step of a fault. Always: what follows a step are updates."""
        self._cfg = cfg
        self._config_sha256 = config_sha256
        self._max_env_resets = max_env_resets
        self._layout = env.layout()
        self.model = build_model(cfg, GoalVecEnv(env))
        """Policy, optimisers and settings."""
        assert isinstance(self.model.replay_buffer, GoalReplayBuffer)
        self.buffer = self.model.replay_buffer
        """Transitions of training and of demonstrations."""
        self._observations = env.reset()
        self._prefilled = False
        self._returns: deque[float] = deque(maxlen=WINDOW)
        self._lengths: deque[int] = deque(maxlen=WINDOW)
        self._successes: deque[bool] = deque(maxlen=WINDOW)

    def prefill(self, demos: Mapping[str, NDArray[Any]]) -> int:
        """Add demonstrations, as `add_demonstrations` describes them, before the first iteration.

        They count in no step number, and do not shorten the warm-up.

        Returns:
            Transitions added: none in a resumed training, whose buffer came with its state.

        Raises:
            InputError: if they break a rule.
        """
        if self._prefilled or self.iteration > 0:
            return 0
        added = add_demonstrations(self.buffer, demos)
        self._prefilled = True
        return added

    def iterate(self) -> Metrics:
        """Collect `num_steps_per_env` control steps of all environments, with `gradient_steps` updates after each.

        Returns:
            A row of the learning curve: iteration (from 0); mean return, length and success of the last 100 finished
            episodes of the stochastic policy (null before the first); mean reward per control step; means over the
            updates (null without any); transitions in the buffer; times in s, sample_s being a part of update_s.

        Raises:
            FaultError: on the first thing that is not normal. The trainer is back at the start of the iteration then.
        """
        start = clone_tree(self._state_but_buffer())
        self.buffer.mark()
        actions: list[Tensor] = []
        try:
            return self._iterate(actions)
        except FaultError as error:
            error.start, error.actions = start, actions
            if error.fault.phase == "rollout":
                self._find_first_culprit(error)
            error.fault.iteration = start["iteration"]
            self.buffer.rollback()
            self._load_all_but_buffer(clone_tree(start))
            self.env.term_means()
            # No copy: what stands in the buffer until the next iteration is the start of this one.
            start["buffer"] = self.buffer.state_dict()
            raise

    def _iterate(self, actions: list[Tensor]) -> Metrics:
        """One iteration. Fills `actions` as it goes."""
        begin, update_s = time.perf_counter(), 0.0
        cfg, model = self._cfg, self.model
        model.start_counting()
        self._require_finite(self._observations, 0)
        reward_sum, updates, episodes = 0.0, 0, 0
        for number in range(cfg.num_steps_per_env):
            with torch.inference_mode():
                actions.append(self._act())
                step = self._step(actions[-1], number)
                following = self._following(step)
                self._require_normal(step, following, number)
                self._store(actions[-1], step, following)
                self._observations = step.observations
                reward_sum += float(step.reward.sum(dtype=torch.float64))
                episodes += self._count_episodes(step)
            model.num_timesteps += self.env.num_envs
            if model.num_timesteps > cfg.learning_starts:
                began = time.perf_counter()
                model.train(cfg.gradient_steps, cfg.batch_size)
                update_s += time.perf_counter() - began
                updates += cfg.gradient_steps
        self._require_few_resets()
        means = (model.metrics / updates).tolist() if updates else [None] * len(METRICS)
        spent = time.perf_counter() - begin
        transitions = cfg.num_steps_per_env * self.env.num_envs
        row: Metrics = {
            "iteration": self.iteration,
            "episode_return": float(np.mean(self._returns)) if self._returns else None,
            "episode_length": float(np.mean(self._lengths)) if self._lengths else None,
            "episodes_finished": episodes,
            "success_rate": float(np.mean(self._successes)) if self._successes else None,
            "step_reward": reward_sum / transitions,
            **dict(zip(METRICS, means, strict=True)),
            "learning_rate": cfg.learning_rate,
            "buffer_transitions": self.buffer.size() * self.env.num_envs,
            **{f"reward/{name}": value for name, value in self.env.term_means().items()},
            "collect_s": spent - update_s,
            "update_s": update_s,
            "sample_s": model.sample_s,
            "steps_per_s": transitions / spent,
        }
        self.iteration += 1
        return row

    @property
    def env_resets(self) -> int:
        """Broken environments that were reset so far."""
        return int(self.env.broken_count.sum())

    def checkpoint(self) -> Checkpoint:
        """The policy as it stands."""
        return model_zip.checkpoint_of(self.model, self._config_sha256, self.iteration, self._layout)

    def save(self, path: Path) -> Checkpoint:
        """Write the policy as it stands, as `model_zip.save`. Raises DivergedError if a weight is not finite."""
        checkpoint = self.checkpoint()
        model_zip.save(path, self.model, checkpoint)
        return checkpoint

    def actor(self) -> nn.Module:
        """A copy of the policy as evaluation uses it."""
        return load_actor(self.checkpoint(), self._cfg, self.env.num_actions, "training").to(self.env.device)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, as tensors and plain data.

        The buffer's tensors share memory with it: save or copy them before the next iteration.
        """
        return {**self._state_but_buffer(), "buffer": self.buffer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, so that training goes on bit-equal."""
        self._load_all_but_buffer(state)
        self.buffer.load_state_dict(state["buffer"])

    def _state_but_buffer(self) -> dict[str, Any]:
        model = self.model
        return {
            "iteration": self.iteration,
            "num_timesteps": model.num_timesteps,
            "updates": model._n_updates,  # pyright: ignore[reportPrivateUsage]
            "prefilled": self._prefilled,
            "policy": model.policy.state_dict(),
            "actor_optimizer": model.actor.optimizer.state_dict(),
            "critic_optimizer": model.critic.optimizer.state_dict(),
            "env": self.env.state_dict(),
            "observations": dict(self._observations),
            "returns": list(self._returns),
            "lengths": list(self._lengths),
            "successes": list(self._successes),
            "rng": rng_state(self.env.device),
        }

    def _load_all_but_buffer(self, state: dict[str, Any]) -> None:
        model = self.model
        self.iteration, self._prefilled = state["iteration"], state["prefilled"]
        model.num_timesteps, model._n_updates = state["num_timesteps"], state["updates"]  # pyright: ignore
        model.policy.load_state_dict(state["policy"])
        # An optimiser takes the tensors over as they are, and would write into the state.
        model.actor.optimizer.load_state_dict(clone_tree(state["actor_optimizer"]))
        model.critic.optimizer.load_state_dict(clone_tree(state["critic_optimizer"]))
        self.env.load_state_dict(state["env"])
        self._observations = {n: t.to(self.env.device) for n, t in state["observations"].items()}
        self._returns = deque(state["returns"], WINDOW)
        self._lengths = deque(state["lengths"], WINDOW)
        self._successes = deque(state["successes"], WINDOW)
        set_rng_state(state["rng"], self.env.device)

    def _act(self) -> Tensor:
        """Actions of the stochastic policy; uniform ones during the warm-up. Shape: (num_envs, num_actions)."""
        env = self.env
        if self.model.num_timesteps < self._cfg.learning_starts:
            return 2.0 * torch.rand(env.num_envs, env.num_actions, device=env.device) - 1.0
        return sample_action(self.model.actor, concatenated(self._observations))[0]  # pyright: ignore

    def _step(self, action: Tensor, number: int) -> GoalStep:
        try:
            return self.env.step(action)
        except DivergedError as error:
            raise _rollout_fault("simulator", number, str(error)) from error

    def _following(self, step: GoalStep) -> Observations:
        """Observations after the step and before the resets.

        A broken state is no place to learn from: there, the step is taken to have led nowhere.
        """
        final = step.finished.observations
        assert final is not None
        done, broken = (step.terminated | step.truncated)[:, None], step.broken[:, None]
        after = {g: torch.where(done, final[g], step.observations[g]) for g in GROUPS}
        return {g: torch.where(broken, self._observations[g], after[g]) for g in GROUPS}

    def _store(self, action: Tensor, step: GoalStep, following: Observations) -> None:
        # A broken episode counts as cut short: a terminal state would end all costs, and be worth seeking.
        timeout = (step.truncated & ~step.terminated) | step.broken
        done = step.terminated | step.truncated | step.broken
        now, after = ({g: to_numpy(values[g]) for g in GROUPS} for values in (self._observations, following))
        self.buffer.append(
            now, after, to_numpy(action), to_numpy(step.reward.float()), to_numpy(done), to_numpy(timeout)
        )

    def _count_episodes(self, step: GoalStep) -> int:
        """Add the episodes that ended, in order of environment."""
        done, finished = step.terminated | step.truncated, step.finished
        self._returns.extend(finished.episode_return[done].tolist())
        self._lengths.extend(finished.length[done].tolist())
        if finished.success is not None:
            self._successes.extend(finished.success[done].tolist())
        return int(done.sum())

    def _require_finite(self, observations: Observations, number: int) -> None:
        if not bool(all_finite(observations.values())):
            raise _rollout_fault("an observation", number, FINITE)

    def _require_normal(self, step: GoalStep, following: Observations, number: int) -> None:
        normal = all_finite((step.reward, *step.observations.values(), *following.values()))
        if not bool(normal if self.env.resets_broken else normal & ~step.broken.any()):
            raise _rollout_fault("a state, reward or observation", number, FINITE)

    def _require_few_resets(self) -> None:
        if self.env.resets_broken and (count := self.env_resets) > self._max_env_resets:
            rule = f"at most {self._max_env_resets} broken environments may be reset (--max-env-resets)"
            fault = Fault("resets", "resets of broken environments", count, rule, START)
            fault.environments = torch.nonzero(self.env.broken_count).flatten().tolist()
            raise FaultError(fault, {"broken_count": self.env.broken_count.clone()})

    def _find_first_culprit(self, error: FaultError) -> None:
        """Repeat the rollout from its start and look at every tensor in the order in which it is computed."""
        watch = first_culprit(cast(Environment, self.env), error.start["env"], error.actions)
        if watch.fault is not None:
            error.fault, error.tensors = watch.fault, {watch.fault.tensor: watch.tensor}
        error.fault.reproduced = watch.fault is not None


def _rollout_fault(tensor: str, step: int, rule: str) -> FaultError:
    """A fault of which only the step is known so far."""
    return FaultError(Fault("rollout", tensor, math.nan, rule, START, step=step), {})
