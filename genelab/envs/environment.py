"""The environment: one class for training and evaluation, after gymnasium's vector API with same-step autoreset."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from genelab.config.actions import JointTargetsCfg
from genelab.config.env import EnvCfg
from genelab.config.terrain import TerrainCurriculumCfg
from genelab.envs.actions import make_action
from genelab.envs.body import Body
from genelab.envs.disturbances import Disturbances
from genelab.envs.goal import Goal, added, check_goal_terms, reward_range
from genelab.envs.health import broken_physics
from genelab.envs.parts import Commands, Delay, History, Measures, Memory
from genelab.envs.places import Places
from genelab.envs.randomizations import Randomizations
from genelab.envs.step import Finished, Observations, Step
from genelab.envs.terms import ObservationGroup, Tap, bind
from genelab.mdp.goals import GoalView
from genelab.mdp.state import EventContext, StateView
from genelab.rng import Stream
from genelab.sim.engine import Engine


class Environment:
    """Steps all environments of a simulation at once.

    Randomness is counter-based. With `numbering="environment"` (training) a draw belongs to an environment and the
    global step; with `numbering="episode"` (evaluation) it belongs to an episode number and the step within it, so that
    an episode is the same whichever environment runs it.

    Order of a step: action, physics, read the state once, rewards, terminations, final observations, disturbances,
    resets, new commands, observations. A disturbance or a new command shows in the observation of its own step and in
    the reward of the next.
    """

    def __init__(
        self,
        cfg: EnvCfg,
        sim: Engine,
        seed: int,
        *,
        numbering: Literal["environment", "episode"],
        max_steps: int | None = None,
        observation_noise: bool = True,
        disturbances: bool = True,
        final_observations: bool = False,
        reset_broken: bool = False,
        measure: bool = False,
        environments: Sequence[int] | None = None,
        fixed_commands: Mapping[str, Tensor] | None = None,
        autoreset: bool = True,
        episodes: Sequence[int] | None = None,
        curriculum: TerrainCurriculumCfg | None = None,
    ) -> None:
        """Bind the terms to the simulation.

        Args:
            cfg: what to compute.
            sim: a built simulation. Of the environments made of one, only the latest may be stepped.
            seed: seed of the environment's streams.
            numbering: what a draw belongs to.
            max_steps: control steps per episode if fewer than the config's.
            observation_noise: whether the noise of noisy groups applies.
            disturbances: whether interval events happen, properties are drawn, and actions are late and noisy.
            final_observations: whether steps in which an episode ends deliver the observations of final states.
            reset_broken: whether an episode whose state, reward or observation is broken ends at once, as terminated,
                and is counted. The step earns 0, unless it is only the disturbance at its end that broke it.
            measure: whether episodes tell what the config measures.
            fixed_commands: commands that are not drawn, by name. Shape of each: (num_envs, dim).
            autoreset: whether an episode that ended is followed by the next. Otherwise it goes on, whatever it is then.
            episodes: numbers of the episodes that begin first, one per environment; 0, 1, ... unless told.
            curriculum: how environments of a training move between the levels of a terrain; None to draw them.
            environments: numbers that the draws of training belong to, if these are some of a larger batch.

        Raises:
            InputError: if a term's function or parameters are wrong.
        """
        self.cfg = cfg
        self.num_envs = sim.num_envs
        self.num_actions = len(cfg.action.columns)
        self.device = sim.device
        self.max_steps = min(cfg.max_episode_steps, max_steps or cfg.max_episode_steps)
        self._sim = sim
        self._seed = seed
        self._by_episode = numbering == "episode"
        self._final_observations = final_observations
        self.resets_broken = reset_broken
        """Whether broken environments are reset."""
        self.tap: Tap | None = None
        """Is shown every tensor of a step in the order in which it is computed, to find the first that is wrong."""
        self._streams: dict[str, Stream] = {}
        check_goal_terms(cfg)
        self._goal = Goal(cfg) if cfg.goal else None
        self.reward_range = reward_range(cfg)
        """Lowest and highest reward of a control step; None if a term has no bounds."""
        self._apply = make_action(cfg.action, sim)
        self._groups = [ObservationGroup(n, cfg, noise=observation_noise) for n in cfg.observations]
        self._rewards = {n: (bind(f"env.rewards.{n}", c, cfg), self._weight(c.weight)) for n, c in cfg.rewards.items()}
        self._terminations = {n: bind(f"env.terminations.{n}", c, cfg) for n, c in cfg.terminations.items()}
        self._reset_events = {n: bind(f"env.reset_events.{n}", c, cfg) for n, c in cfg.reset_events.items()}
        self._disturbances = Disturbances(cfg, sim, enabled=disturbances)

        self._num_steps = 0
        self._environment = torch.tensor(
            range(self.num_envs) if environments is None else environments, device=self.device
        )
        self._everywhere = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        self.episode_number = torch.tensor(range(self.num_envs) if episodes is None else episodes, device=self.device)
        self.episode_step = torch.zeros_like(self._environment)
        self._next_episode = self.episode_number.max() + 1
        self._return = torch.zeros(self.num_envs, dtype=torch.float64, device=self.device)
        self._action = torch.zeros(self.num_envs, self.num_actions, device=self.device)
        self._previous_action = self._action.clone()
        self._succeeded = torch.zeros_like(self._everywhere)
        self._autoreset = autoreset
        self._commands = Commands(cfg, self.num_envs, self.device, fixed_commands)
        self._body = Body(cfg, sim) if cfg.robot.base else None
        late = (
            disturbances and isinstance(cfg.action, JointTargetsCfg) and (cfg.action.latency[1] or cfg.action.noise_std)
        )
        self._delay = Delay(cfg.action, self.num_envs, self.device) if late else None  # pyright: ignore
        self._histories = {n: History(c.history) for n, c in cfg.observations.items() if c.history > 1}
        self._measures = Measures(cfg, self.num_envs, self.device) if measure and cfg.measures else None
        # Another environment of this scene may have written its own.
        sim.properties.restore()
        self._randomizations = Randomizations(cfg, sim) if disturbances and cfg.randomizations else None
        self._places = None
        if sim.cell_centers_w is not None:
            self._places = Places(
                cfg, sim.cell_centers_w, self.num_envs, self.device, by_episode=self._by_episode, curriculum=curriculum
            )
        self._middle_w = torch.zeros(self.num_envs, 3, device=self.device)
        self._commands.start(self._everywhere, self._read, self.draw)
        self.broken_count = torch.zeros_like(self._environment)
        """How often each environment was reset because it was broken, int64. Shape: (num_envs,)."""
        self.term_sums = {n: torch.zeros((), dtype=torch.float64, device=self.device) for n in self._rewards}
        """Sum over environments and steps of each weighted reward term, until `term_means` empties it."""
        self._term_steps = 0
        state = self._read()
        for group in self._groups:
            group.measure(state, self._goal_of(state))

    def draw(self, stream: str, dim: int) -> Tensor:
        """Uniform draws of this step in [0, 1). Shape: (num_envs, dim)."""
        if stream not in self._streams:
            domain = "evaluation" if self._by_episode else "training"
            self._streams[stream] = Stream.of(self._seed, f"{domain}/{stream}")
        if self._by_episode:
            return self._streams[stream].uniform(self.episode_number, self.episode_step, dim)
        step = torch.full_like(self._environment, self._num_steps)
        return self._streams[stream].uniform(self._environment, step, dim)

    def reset(self) -> Observations:
        """Start episode i in environment i and draw the first disturbance times. Call once, before the first step."""
        if self._randomizations and not self._by_episode:
            self._randomizations.draw(self._everywhere, self._read, self.draw)
        self._write_initial_state(self._everywhere)
        self._disturbances.start(self._everywhere, self.draw)
        state = self._read()
        if self._body:
            self._body.keep(state.joint_vel)
        return self._observe(state, keep=True)

    def step(self, action: Tensor) -> Step:
        """Apply raw actions for one control step. Shape: (num_envs, num_actions).

        Raises:
            DivergedError: if the simulator gives up, some steps after an environment met an error that was not reset.
        """
        self._previous_action, self._action = self._action, action.detach().to(torch.float32).clone()
        applied = self._delay.applied(self._action, self.draw) if self._delay else self._action
        targets = self._apply.targets(applied)
        if self._randomizations:
            targets = targets - self._randomizations.target_bias
        self._sim.set_targets(targets)
        failed = torch.zeros_like(self._everywhere)
        for _ in range(self.cfg.decimation):
            self._sim.step()
            error = self._sim.error()
            failed = failed | error
            if self.resets_broken and self._needed(error):
                # At once: the simulator looks every few steps, and stops for all environments.
                self._sim.reset(error)
            elif self.device.type == "cpu" and bool(error.any()):
                break
        self._num_steps += 1
        self.episode_step = self.episode_step + 1

        if self._body:
            self._body.advance()
        state = self._read()
        broken = self._broken(state, failed)
        goal = self._goal_of(state)
        reward, broken = self._reward(state, goal, broken)
        self._return = self._return + reward
        terminated = torch.zeros_like(self._everywhere)
        if self.resets_broken:
            terminated = broken
        truncated = self.episode_step >= self.max_steps
        for name, term in self._terminations.items():
            if self.cfg.terminations[name].truncates:
                truncated = truncated | term(state)
            else:
                terminated = terminated | term(state)
        truncated = truncated & ~terminated
        if self._measures:
            self._measures.add(state)
        if self._places:
            self._places.advance(state, broken)
        # Judged on this state, before any reset: afterwards the goal is the next episode's.
        reached = goal.reached if goal else None
        if reached is not None:
            self._succeeded = self._succeeded | reached
        finished = Finished(
            number=self.episode_number,
            episode_return=self._return,
            length=self.episode_step,
            success=None if reached is None else self._succeeded,
            success_at_end=reached,
            observations=self._observe(state, "final/") if self._final_needed(terminated | truncated) else None,
            measures=self._measures.means(self.episode_step) if self._measures else {},
        )
        written = self._disturbances.advance(state, self._read, self.draw)
        if self.resets_broken:
            if written:
                # A disturbance may break what the policy is about to see.
                broken = broken | self._broken(self._read(), failed)
            terminated = terminated | broken
            truncated = truncated & ~broken
            self.broken_count = self.broken_count + broken
        # Before new episodes, whose commands are drawn with them.
        self._commands.advance(state, self.draw)
        ended = terminated | truncated
        if self._autoreset and self._needed(ended):
            self._number_episodes(ended)
            self._write_initial_state(ended)
            if self._by_episode:
                # In training a timer runs on across episodes; a numbered episode has its own.
                self._disturbances.start(ended, self.draw)
            written = True
        state = self._read() if written else dataclasses.replace(state, commands=self._commands.values)
        if self._body:
            self._body.keep(state.joint_vel)
        observations = self._observe(state, keep=True)
        return Step(observations, reward, terminated, truncated, broken, finished)

    def compute_reward(self, achieved: Tensor, desired: Tensor) -> Tensor:
        """The reward of steps that led to `achieved`, judged by any goals. Needs a goal.

        Shapes: (rows, dim), (rows, dim) -> (rows,).
        """
        goal = self._goal_view(achieved, desired)
        return added((weight * term(goal) for term, weight in self._rewards.values()), achieved[:, 0])

    def relabel(self, observation: Tensor, achieved: Tensor, desired: Tensor) -> Tensor:
        """Rows of the group `observation` as they would be with other goals. Needs a goal.

        Shapes: (rows, columns), (rows, dim), (rows, dim) -> (rows, columns).
        """
        group = next(group for group in self._groups if group.name == "observation")
        return group.relabel(observation, self._goal_view(achieved, desired))

    def state(self) -> StateView:
        """The current state, for controllers that need no observations. Read from the simulator."""
        return self._read()

    def simulator_error(self) -> Tensor:
        """Where the simulator holds an error that was not reset. Shape: (num_envs,) bool."""
        return self._sim.error()

    def layout(self) -> dict[str, Any]:
        """What the observation vectors mean, by group, for checkpoints and exports."""
        return {group.name: group.layout() for group in self._groups}

    def mean_level(self) -> float | None:
        """Mean over environments of the level of the terrain they are on; None without a terrain."""
        return float(self._places.level.double().mean()) if self._places else None

    def term_means(self) -> dict[str, float]:
        """Mean weighted reward per control step of each term since the last call."""
        count = self._term_steps * self.num_envs
        means = {name: float(total) / count for name, total in self.term_sums.items()} if count else {}
        for total in self.term_sums.values():
            total.zero_()
        self._term_steps = 0
        return means

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, the simulator included."""
        own = {
            "num_steps": torch.tensor(self._num_steps),
            "episode_number": self.episode_number,
            "episode_step": self.episode_step,
            "next_episode": self._next_episode,
            "return": self._return,
            "action": self._action,
            "previous_action": self._previous_action,
            "broken_count": self.broken_count,
            **({"succeeded": self._succeeded} if self._goal else {}),
            **{f"{part}/{n}": value for part, memory in self._memories().items() for n, value in memory.items()},
        }
        return own | {f"sim/{name}": value for name, value in self._sim.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned, into an environment of the same config and size."""
        own = {name: value.to(self.device) for name, value in state.items() if not name.startswith("sim/")}
        self._num_steps = int(own["num_steps"])
        self.episode_number = own["episode_number"]
        self.episode_step = own["episode_step"]
        self._next_episode = own["next_episode"]
        self._return = own["return"]
        self._action = own["action"]
        self._previous_action = own["previous_action"]
        self.broken_count = own["broken_count"]
        self._succeeded = own["succeeded"] if self._goal else self._succeeded
        for part, memory in self._memories().items():
            memory.update({n.removeprefix(f"{part}/"): v for n, v in own.items() if n.startswith(f"{part}/")})
        self._sim.load_state_dict({n.removeprefix("sim/"): v for n, v in state.items() if n.startswith("sim/")})

    def _memories(self) -> dict[str, Memory]:
        """What the parts remember, by part."""
        parts = {"command": self._commands, "body": self._body, "delay": self._delay, "measure": self._measures}
        parts |= {"place": self._places, "timer": self._disturbances}
        parts |= {f"history/{name}": history for name, history in self._histories.items()}
        return {name: part.memory for name, part in parts.items() if part is not None}

    def _needed(self, mask: Tensor) -> bool:
        """Whether masked work must be done. Asking a GPU would make it wait, so there the answer is always yes."""
        return self.device.type != "cpu" or bool(mask.any())

    def _final_needed(self, ended: Tensor) -> bool:
        """Whether to compute final observations. What is broken may still end an episode, after a disturbance."""
        return self._final_observations and (self.resets_broken or self._needed(ended))

    def _read(self) -> StateView:
        links = self._sim.link_pos_w(), self._sim.link_quat_w(), self._sim.link_ang_vel_w()
        return StateView(
            names=self._sim.names,
            joint_pos=self._sim.joint_pos(),
            joint_vel=self._sim.joint_vel(),
            default_joint_pos=self._sim.default_joint_pos,
            link_pos_w=links[0],
            link_quat_w=links[1],
            link_ang_vel_w=links[2],
            object_pos_w=self._sim.object_pos_w(),
            object_lin_vel_w=self._sim.object_lin_vel_w(),
            commands=self._commands.values,
            action=self._action,
            previous_action=self._previous_action,
            episode_step=self.episode_step,
            max_episode_steps=self.max_steps,
            terrain=self._sim.ground,
            body=self._body.read(*links, self._origin_w) if self._body else None,
        )

    @property
    def _origin_w(self) -> Tensor:
        """Where the episodes start, m. Shape: (num_envs, 3)."""
        return self._places.origin_w if self._places else self._middle_w

    def _weight(self, weight: float) -> float:
        return weight * self.cfg.control_dt if self.cfg.reward_per == "second" else weight

    def _goal_of(self, state: StateView) -> GoalView | None:
        return self._goal.of(state) if self._goal else None

    def _goal_view(self, achieved: Tensor, desired: Tensor) -> GoalView:
        if self._goal is None:
            raise ValueError("this environment has no goal")
        return self._goal.view(achieved, desired)

    def _observe(self, state: StateView, prefix: str = "", *, keep: bool = False) -> Observations:
        """Observations of a state; `keep` those that the policy acts on, for the history."""

        def uniform(group: str) -> Callable[[int], Tensor]:
            return lambda dim: self.draw(f"{prefix}noise/{group}", dim)

        goal = self._goal_of(state)
        found = {group.name: group.compute(state, goal, uniform(group.name), self.tap) for group in self._groups}
        for name, history in self._histories.items():
            found[name] = history.stacked(found[name], self.episode_step == 0, keep=keep)
        return found

    def _broken(self, state: StateView, failed: Tensor) -> Tensor:
        """Where the physics went wrong, beside where the simulator said so. Shapes: (num_envs,) bool."""
        return broken_physics(state, failed, self.tap)

    def _reward(self, state: StateView, goal: GoalView | None, broken: Tensor) -> tuple[Tensor, Tensor]:
        """The reward, and where it or what came before is broken. Shapes: (num_envs,), (num_envs,) bool."""
        values = {name: weight * term(goal or state) for name, (term, weight) in self._rewards.items()}
        if self.tap is not None:
            for name, value in values.items():
                self.tap(f"reward/{name}", value)
        total = added(values.values(), self._action[:, 0])
        broken = broken | ~torch.isfinite(total)
        if self.resets_broken:
            # The state is that of the end of an episode: what it shows to the policy must be finite too.
            for observation in self._observe(state).values():
                broken = broken | ~torch.isfinite(observation).all(dim=1)
            values = {name: value.masked_fill(broken, 0.0) for name, value in values.items()}
            total = total.masked_fill(broken, 0.0)
        for name, value in values.items():
            self.term_sums[name] += value.sum(dtype=torch.float64)
        self._term_steps += 1
        return total, broken

    def _number_episodes(self, mask: Tensor) -> None:
        """Give the masked environments the next free episode numbers, in order of environment."""
        rank = mask.to(torch.int64).cumsum(0) - 1
        self.episode_number = torch.where(mask, self._next_episode + rank, self.episode_number)
        self._next_episode = self._next_episode + mask.sum()

    def _write_initial_state(self, mask: Tensor) -> None:
        self.episode_step = self.episode_step.masked_fill(mask, 0)
        self._return = self._return.masked_fill(mask, 0.0)
        self._action = self._action.masked_fill(mask[:, None], 0.0)
        self._previous_action = self._previous_action.masked_fill(mask[:, None], 0.0)
        self._sim.reset(mask)
        if self._randomizations and self._by_episode:
            self._randomizations.draw(mask, self._read, self.draw)
        if self._places:
            self._places.start(mask, self.episode_number, self.draw)
        if self._body:
            self._body.start(mask)
        if self._delay:
            self._delay.start(mask, self.draw)
        if self._measures:
            self._measures.start(mask)
        self._succeeded = self._succeeded & ~mask
        # Before the events, which may ask what is commanded.
        self._commands.start(mask, self._read, self.draw)
        for name, event in self._reset_events.items():
            context = EventContext(self._read(), lambda dim, name=name: self.draw(f"reset/{name}", dim))
            self._sim.write(event(context), mask)
