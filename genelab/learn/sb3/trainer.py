"""The training loop of one seed of a soft actor-critic, and the exact state that a resume needs."""

import time
from collections.abc import Mapping
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor

from genelab.config.agent import OffPolicyCfg
from genelab.envs.protocol import Env, GoalEnv
from genelab.envs.step import Step
from genelab.errors import InputError
from genelab.learn.guard import clone_tree
from genelab.learn.protocol import Metrics
from genelab.learn.sb3.base import Sb3Trainer
from genelab.learn.sb3.buffer import GoalReplayBuffer, ReplayBuffer
from genelab.learn.sb3.policy import concatenated
from genelab.learn.sb3.sac import METRICS, build_model, sample_action


class SacTrainer(Sb3Trainer):
    """Trains one policy, one iteration at a time."""

    def __init__(self, cfg: OffPolicyCfg, config_sha256: str, env: Env, *, max_env_resets: int = 0) -> None:
        """Build the model and start the first episodes. Seed the global generators before.

        Args:
            cfg: the learner.
            config_sha256: digest of the task's config, for checkpoints.
            env: the task's environment; must deliver final observations, and be a `GoalEnv` for hindsight replay.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.

        Raises:
            InputError: if the library or the environment cannot meet a setting.
        """
        super().__init__(cfg, config_sha256, env, max_env_resets)
        self._cfg = cfg
        self.buffer, reward_range = _replay(cfg, env)
        """Transitions of training and of demonstrations."""
        self.model = build_model(cfg, env, self.buffer, reward_range)
        # On a GPU too: the next thing after a step is an update, which would learn from it.
        self.guard.checks_each_step = True
        self.observations = env.reset()

    def prefill(self, demos: Mapping[str, NDArray[Any]]) -> int:
        """Add demonstrations, as `GoalReplayBuffer.add_demonstrations` describes them, before the first iteration.

        They count in no step number, and do not shorten the warm-up.

        Returns:
            Transitions added: none in a resumed training, whose buffer came with its state.
        """
        return 0 if self.buffer.size() else self.buffer.add_demonstrations(demos)

    def _remember(self) -> dict[str, Any]:
        self.buffer.mark()
        return clone_tree(self._state_but_buffer())

    def _go_back(self, start: dict[str, Any]) -> None:
        self.buffer.rollback()
        self._load_all_but_buffer(clone_tree(start))
        # No copy: what stands in the buffer until the next iteration is the start of this one.
        start["buffer"] = self.buffer.state_dict()

    def _iterate(self) -> Metrics:
        begin, update_s, updates = time.perf_counter(), 0.0, 0
        cfg, model = self._cfg, self.model
        if cfg.demo_path is not None and not self.buffer.size():
            raise ValueError(f"agent.demo_path = '{cfg.demo_path.value}': call prefill before the first iteration")
        model.start_counting()
        self.guard.begin(self.observations)
        reward_sum = torch.zeros((), dtype=torch.float64, device=self.env.device)
        for _ in range(cfg.num_steps_per_env):
            with torch.inference_mode():
                reward_sum += self.step(self._act()).sum(dtype=torch.float64)
            model.num_timesteps += self.env.num_envs
            if model.num_timesteps > cfg.learning_starts:
                began = time.perf_counter()
                model.train(cfg.gradient_steps, cfg.batch_size)
                update_s += time.perf_counter() - began
                updates += cfg.gradient_steps
        self.guard.end()
        episodes = self._episodes.row()
        means = (model.metrics / updates).tolist() if updates else [None] * len(METRICS)
        spent = time.perf_counter() - begin
        transitions = cfg.num_steps_per_env * self.env.num_envs
        row: Metrics = {
            "iteration": self.iteration,
            **episodes,
            "success_rate": self._episodes.success_rate,
            "step_reward": float(reward_sum) / transitions,
            **dict(zip(METRICS, means, strict=True)),
            "learning_rate": cfg.learning_rate,
            "buffer_transitions": self.buffer.size() * self.env.num_envs,
            **self.env.metrics(),
            "collect_s": spent - update_s,
            "update_s": update_s,
            "sample_s": model.sample_s,
            "steps_per_s": transitions / spent,
        }
        self.iteration += 1
        return row

    def _act(self) -> Tensor:
        """Actions of the stochastic policy; uniform ones during the warm-up. Shape: (num_envs, num_actions)."""
        env = self.env
        if self.model.num_timesteps < self._cfg.learning_starts:
            return 2.0 * torch.rand(env.num_envs, env.num_actions, device=env.device) - 1.0
        return sample_action(self.model.actor, concatenated(self.observations, self.buffer.groups))[0]

    def step(self, action: Tensor) -> Tensor:
        """Do one control step and store it.

        Args:
            action: in [-1, 1]. Shape: (num_envs, num_actions).

        Returns:
            The rewards. Shape: (num_envs,).

        Raises:
            FaultError: if something broke; nothing is stored then.
        """
        step = self.guard.step(action)
        done, timeout = step.terminated | step.truncated, step.truncated & ~step.terminated
        # The buffer copies what it keeps.
        groups = (self.observations, self._following(step))
        now, after = ({group: _array(rows[group]) for group in self.buffer.groups} for rows in groups)
        flags = (_array(flag) for flag in (done, timeout, step.broken))
        self.buffer.append(now, after, _array(action), _array(step.reward.float()), *flags)
        self._episodes.note(step)
        self.observations = step.observations
        return step.reward

    def _following(self, step: Step) -> dict[str, Tensor]:
        """Observations after the step and before the resets.

        A broken state is no place to learn from, and its row is never drawn: it holds what was there before.
        """
        # None where no episode ended, and none is needed.
        final = step.finished.observations or step.observations
        done, broken = (step.terminated | step.truncated)[:, None], step.broken[:, None]
        after = {group: torch.where(done, final[group], step.observations[group]) for group in self.buffer.groups}
        return {group: torch.where(broken, self.observations[group], after[group]) for group in self.buffer.groups}

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, as tensors and plain data.

        The buffer's tensors share memory with it: save or copy them before the next iteration.
        """
        return {**self._state_but_buffer(), "buffer": self.buffer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned, so that training goes on bit-equal.

        Raises:
            InputError: if the buffer is of another size.
        """
        self._load_all_but_buffer(state)
        self.buffer.load_state_dict(state["buffer"])

    def _state_but_buffer(self) -> dict[str, Any]:
        return self._own_state() | {
            "actor_optimizer": self.model.actor.optimizer.state_dict(),
            "critic_optimizer": self.model.critic.optimizer.state_dict(),
        }

    def _load_all_but_buffer(self, state: dict[str, Any]) -> None:
        self._load_own_state(state)
        # An optimiser takes the tensors over as they are, and would write into the state.
        self.model.actor.optimizer.load_state_dict(clone_tree(state["actor_optimizer"]))
        self.model.critic.optimizer.load_state_dict(clone_tree(state["critic_optimizer"]))


def _replay(cfg: OffPolicyCfg, env: Env) -> tuple[ReplayBuffer, tuple[float, float] | None]:
    """An empty replay buffer, and the rewards that a step may earn, as far as they are known.

    Raises:
        InputError: if hindsight replay has an environment whose rewards have no bounds, or no room for an episode.
    """
    if cfg.her is None:
        return ReplayBuffer(env, cfg.buffer_size), None
    # A config with hindsight replay has a goal.
    goals = cast(GoalEnv, env)
    if goals.reward_range is None:
        raise InputError("env.rewards: every term needs bounds, with which the guard of SAC compares its values")
    buffer = GoalReplayBuffer(goals, cfg.buffer_size, n_sampled_goal=cfg.her.n_sampled_goal)
    return buffer, goals.reward_range


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().cpu().numpy()
