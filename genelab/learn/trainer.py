"""The training loop of one seed, and the exact state that a resume needs."""

import math
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
from genelab.envs.environment import Environment, Observations, Step
from genelab.errors import DivergedError
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.diagnosis import first_culprit
from genelab.learn.guard import FINITE, START, Fault, FaultError, Watch, all_finite, clone_tree
from genelab.learn.policy import build_actor, build_critic
from genelab.learn.ppo import MicrobatchPPO

RETURN_WINDOW = 100
"""Finished episodes behind `episode_return` of the learning curve, as in rsl_rl."""

Metrics = dict[str, float | int | None]


class PpoTrainer:
    """Trains one policy, one iteration at a time."""

    def __init__(self, task: TaskSpec, config_sha256: str, env: Environment, *, max_env_resets: int = 0) -> None:
        """Build networks, optimiser and rollout storage. Seed the global generators before.

        Args:
            task: the task.
            config_sha256: digest of its config, for checkpoints.
            env: its environment.
            max_env_resets: broken environments that may be reset in all, if `env` resets them.
        """
        cfg = task.agent
        layout = env.layout()
        self.env = env
        self.iteration = 0
        """Iterations done."""
        self._config_sha256 = config_sha256
        self._max_env_resets = max_env_resets
        self.checks_each_step = env.device.type == "cpu"
        """Whether a rollout stops at the step of a fault. A GPU is asked once a rollout, so that it never waits."""
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
            FaultError: on the first thing that is not normal. The trainer is back at the start of the iteration then.
        """
        start = self.state_dict()
        # The rest is replaced, never changed in place; the simulator's arrays are copies already.
        start["algorithm"] = clone_tree(start["algorithm"])
        actions: list[Tensor] = []
        try:
            return self._iterate(actions)
        except FaultError as error:
            error.start, error.actions = start, actions
            if error.fault.phase == "rollout":
                self._find_first_culprit(error)
            error.fault.iteration = start["iteration"]
            self.load_state_dict(clone_tree(start))
            self.algorithm.storage.clear()
            self.algorithm.transition.clear()
            self.env.term_means()
            raise

    def _iterate(self, actions: list[Tensor]) -> Metrics:
        """One iteration. Fills `actions` as it goes."""
        begin = time.perf_counter()
        self.algorithm.train_mode()
        self._require_sound_observations()
        reward_sum = torch.zeros((), dtype=torch.float64, device=self.env.device)
        ended: list[tuple[Tensor, Tensor, Tensor]] = []
        normal: list[Tensor] = []
        with torch.inference_mode():
            for _ in range(self._steps):
                actions.append(self.algorithm.act(self._observations))
                step = self._step(actions)
                normal.append(self._is_normal(step))
                if self.checks_each_step:
                    self._require_normal(normal)
                self._observations = self._tensordict(step.observations)
                done = step.terminated | step.truncated
                self.algorithm.process_env_step(
                    self._observations, step.reward, done.to(torch.float32), {"time_outs": step.truncated.float()}
                )
                reward_sum += step.reward.sum(dtype=torch.float64)
                ended.append((done, step.finished.episode_return, step.finished.length))
            self._require_normal(normal)
            self._require_few_resets()
            self.algorithm.compute_returns(self._observations)
        collected = time.perf_counter()
        episodes = self._count_episodes(ended)
        losses = self.algorithm.update()
        end = time.perf_counter()
        row: Metrics = {
            "iteration": self.iteration,
            "episode_return": float(np.mean(self._returns)) if self._returns else None,
            "episode_length": float(np.mean(self._lengths)) if self._lengths else None,
            "episodes_finished": episodes,
            "step_reward": float(reward_sum) / (self._steps * self.env.num_envs),
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

    @property
    def env_resets(self) -> int:
        """Broken environments that were reset so far."""
        return int(self.env.broken_count.sum())

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

    def _require_sound_observations(self) -> None:
        """Check what the first action follows from: of a fresh environment no step has."""
        for group, rows in self._layout.items():
            for row in rows:
                watch = Watch()
                watch(f"observation/{group}/{row['name']}", self._observations[group][:, row["start"] : row["stop"]])
                if watch.fault is not None:
                    watch.fault.phase, watch.fault.step = "start", None
                    raise FaultError(watch.fault, {watch.fault.tensor: watch.tensor})

    def _step(self, actions: list[Tensor]) -> Step:
        try:
            return self.env.step(actions[-1])
        except DivergedError as error:
            raise _rollout_fault("simulator", len(actions) - 1, str(error)) from error

    def _is_normal(self, step: Step) -> Tensor:
        """Whether nothing is wrong in any environment. A bool scalar on the device."""
        finite = all_finite((step.reward, *step.observations.values()))
        return finite if self.env.resets_broken else finite & ~step.broken.any()

    def _require_normal(self, normal: list[Tensor]) -> None:
        wrong = ~torch.stack(normal)
        if bool(wrong.any()):
            raise _rollout_fault("a state, reward or observation", int(torch.nonzero(wrong)[0]), FINITE)

    def _require_few_resets(self) -> None:
        if self.env.resets_broken and (count := self.env_resets) > self._max_env_resets:
            rule = f"at most {self._max_env_resets} broken environments may be reset (--max-env-resets)"
            fault = Fault("resets", "resets of broken environments", count, rule, START)
            fault.environments = torch.nonzero(self.env.broken_count).flatten().tolist()
            raise FaultError(fault, {"broken_count": self.env.broken_count.clone()})

    def _find_first_culprit(self, error: FaultError) -> None:
        """Repeat the rollout from its start and look at every tensor in the order in which it is computed."""
        watch = first_culprit(self.env, error.start["env"], error.actions)
        if watch.fault is not None:
            error.fault, error.tensors = watch.fault, {watch.fault.tensor: watch.tensor}
        error.fault.reproduced = watch.fault is not None


def _rollout_fault(tensor: str, step: int, rule: str) -> FaultError:
    """A fault of which only the step is known so far."""
    return FaultError(Fault("rollout", tensor, math.nan, rule, START, step=step), {})
