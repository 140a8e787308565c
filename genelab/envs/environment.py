"""The environment over a simulated scene: one class for training and evaluation."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genelab.config.env import EnvCfg
from genelab.draw.depiction import Depiction, Floats, Pose
from genelab.envs.actions import make_action
from genelab.envs.draws import Draws, at_time_limit, numbered
from genelab.envs.goal import Goal, added, check_goal_terms, reward_range
from genelab.envs.health import broken_physics
from genelab.envs.parts.commands import Commands
from genelab.envs.parts.history import History
from genelab.envs.parts.make import make_parts
from genelab.envs.parts.measures import Measures
from genelab.envs.parts.part import PartT, World
from genelab.envs.parts.success import Success
from genelab.envs.purpose import Purpose
from genelab.envs.step import Finished, Observations, Step
from genelab.envs.terms import ObservationGroup, Tap
from genelab.errors import InputError
from genelab.mdp.goals import GoalView
from genelab.mdp.state import StateView, View
from genelab.mdp.term import bind
from genelab.sim.engine import Engine


class Environment:
    """Steps all environments of a scene at once. See `genelab.envs.protocol` for what others know of it.

    Order of a step: action, physics, read the state once, rewards, terminations, final observations, disturbances, new
    commands, resets, observations. A disturbance or a new command shows in the observation of its own step and in the
    reward of the next.
    """

    def __init__(self, cfg: EnvCfg, sim: Engine, purpose: Purpose) -> None:
        """Bind the terms to the scene. Of the environments made of one scene, only the latest may be stepped.

        Raises:
            InputError: if a term's function or parameters are wrong.
        """
        self.cfg, self.purpose = cfg, purpose
        self.num_envs, self.num_actions, self.device = sim.num_envs, len(cfg.action_columns), sim.device
        self.max_steps = min(cfg.max_episode_steps, purpose.max_steps or cfg.max_episode_steps)
        self.resets_broken = purpose.reset_broken
        self.tap: Tap | None = None
        self._sim = sim
        self._draws = Draws(purpose)
        check_goal_terms(cfg)
        self._goal = Goal(cfg) if cfg.goal else None
        self.reward_range = reward_range(cfg)
        self._action_law = make_action(cfg.action, sim)
        self._groups = [ObservationGroup(n, cfg, noise=purpose.observation_noise) for n in cfg.observations]
        self._rewards = {n: (bind(f"env.rewards.{n}", c, cfg), self._weight(c.weight)) for n, c in cfg.rewards.items()}
        self._terminations = {n: bind(f"env.terminations.{n}", c, cfg) for n, c in cfg.terminations.items()}
        self._environment = torch.arange(self.num_envs, device=self.device)
        self._everywhere = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        none = torch.zeros_like(self._environment)
        self._world = World(cfg, sim, purpose, self.draw, self.state, none, none)
        self._parts = make_parts(self._world, self._goal)
        self._commands, self._measures = self.part(Commands), self.part(Measures)
        self._success = self.part(Success) if self._goal else None
        self._histories = {n: p for n, p in self._parts.items() if isinstance(p, History)}
        self._begin()
        self._commands.start(self._everywhere)
        self._require_one_part_for_each_view()
        state = self.state()
        for group in self._groups:
            group.measure(state, self._goal_of(state))

    def again(self, purpose: Purpose) -> "Environment":
        """Another environment over this scene. See `Env.again`."""
        return Environment(self.cfg, self._sim, purpose)

    @property
    def episode_number(self) -> Tensor:
        """Number of the running episode, int64. Shape: (num_envs,)."""
        return self._world.episode_number

    @property
    def episode_step(self) -> Tensor:
        """Control steps since the episode began, int64. Shape: (num_envs,)."""
        return self._world.episode_step

    def draw(self, stream: str, dim: int) -> Tensor:
        """Uniform draws of this step in [0, 1). Shape: (num_envs, dim)."""
        return self._draws.uniform(stream, dim, self.episode_number, self.episode_step, self._world.num_steps)

    def reseed(self, seed: int) -> None:
        """Draw from another seed, from the next reset on."""
        self.purpose = dataclasses.replace(self.purpose, seed=seed)
        self._draws = Draws(self.purpose)

    def reset(self) -> Observations:
        """Begin anew: start the first episode of every environment."""
        self._begin()
        # Another environment of this scene may have written its own.
        self._sim.properties.restore()
        for part in self._parts.values():
            part.begin()
        self._start(self._everywhere)
        return self._observe(self._kept(self.state()), keep=True)

    def step(self, action: Tensor) -> Step:
        """Apply raw actions for one control step. Shape: (num_envs, num_actions).

        Raises:
            DivergedError: if the simulator gives up, some steps after an environment met an error that was not reset.
        """
        self._previous_action, self._action = self._action, action.detach().to(torch.float32).clone()
        failed = self._drive(self._action)
        self._world.num_steps += 1
        self._world.episode_step = self.episode_step + 1
        for part in self._parts.values():
            part.sense()
        state = self.state()
        reward, broken = self._reward(state, self._broken(state, failed))
        self._return = self._return + reward
        terminated, truncated, causes = self._ends(state, broken)
        for part in self._parts.values():
            part.account(state, broken)
        finished = self._finished(state, terminated | truncated, causes)
        written = self._advance(state)
        if self.resets_broken:
            if written:
                # A disturbance may break what the policy is about to see.
                broken = broken | self._broken(self.state(), failed)
            terminated, truncated = terminated | broken, truncated & ~broken
            self.broken_count = self.broken_count + broken
        ended = terminated | truncated
        if self.purpose.autoreset and self._world.needed(ended):
            self._world.episode_number, self._next_episode = numbered(ended, self.episode_number, self._next_episode)
            self._start(ended)
            written = True
        if written:
            state = self.state()
        else:
            state = self._commands.shown(dataclasses.replace(state, commands=self._commands.drawn))
        state = self._kept(state)
        return Step(self._observe(state, keep=True), reward, terminated, truncated, broken, finished)

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
        """The current state, read from the simulator and the parts."""
        views: dict[type[View], View] = {}
        state = StateView(
            names=self._sim.names,
            joint_pos=self._sim.joint_pos(),
            joint_vel=self._sim.joint_vel(),
            default_joint_pos=self._sim.default_joint_pos,
            link_pos_w=self._sim.link_pos_w(),
            link_quat_w=self._sim.link_quat_w(),
            link_ang_vel_w=self._sim.link_ang_vel_w(),
            object_pos_w=self._sim.object_pos_w(),
            object_lin_vel_w=self._sim.object_lin_vel_w(),
            commands=self._commands.drawn,
            action=self._action,
            previous_action=self._previous_action,
            episode_step=self.episode_step,
            max_episode_steps=self.max_steps,
            terrain=self._sim.ground,
            views=views,
        )
        for part in self._parts.values():
            view = part.view(state)
            if view is not None:
                views[type(view)] = view
        return self._commands.shown(state)

    def _require_one_part_for_each_view(self) -> None:
        """Raises InputError if two parts show the same, of which a term could read one alone."""
        state, shown = self.state(), dict[type[View], str]()
        for name, part in self._parts.items():
            view = part.view(state)
            if view is not None and (other := shown.setdefault(type(view), name)) != name:
                path = f"env.{name.replace('/', '.')}"
                raise InputError(f"{path}: shows {type(view).__name__}, which '{other}' shows already")

    def object_quat_w(self) -> Tensor:
        """Orientations of the objects, w x y z. Shape: (num_envs, num_objects, 4)."""
        return self._sim.object_quat_w()

    def part(self, kind: type[PartT]) -> PartT:
        """The first part of a class. See `SceneEnv.part`."""
        return next(part for part in self._parts.values() if isinstance(part, kind))

    def pose(self) -> Pose:
        """Where robot and objects of the first environment are."""

        def first(*values: Tensor) -> Floats:
            return torch.cat([value[0] for value in values], dim=-1).cpu().numpy().astype(np.float64)

        sim, base = self._sim, self.cfg.robot.base
        link = slice(None) if base is None else sim.names.link_id(base)
        return Pose(
            joint_pos=first(sim.joint_pos()),
            base_pose_w=None if base is None else first(sim.link_pos_w()[:, link], sim.link_quat_w()[:, link]),
            object_pose_w=first(sim.object_pos_w(), sim.object_quat_w()),
        )

    def depict(self, state: StateView) -> list[Depiction]:
        """What the parts add to a picture of the first environment."""
        return [found for part in self._parts.values() if (found := part.depict(state)) is not None]

    def layout(self) -> dict[str, Any]:
        """What the observation vectors mean, by group, for checkpoints and exports."""
        return {group.name: group.layout() for group in self._groups}

    def metrics(self) -> dict[str, float | int]:
        """What the steps since the last call came to.

        Of each reward term, its mean weighted value per control step. Of each termination and of the time limit, how
        many episodes it ended; one that two of them ended counts for both. And what the parts tell.
        """
        count = self._term_steps * self.num_envs
        found = {f"reward/{name}": float(total) / count for name, total in self._term_sums.items()} if count else {}
        found |= dict(zip(self._causes(), self._cause_counts.tolist(), strict=True))
        self._forget_terms()
        for part in self._parts.values():
            found |= part.metrics()
        return found

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, the simulator included."""
        own = {
            "num_steps": torch.tensor(self._world.num_steps),
            "episode_number": self.episode_number,
            "episode_step": self.episode_step,
            "next_episode": self._next_episode,
            "return": self._return,
            "action": self._action,
            "previous_action": self._previous_action,
            "broken_count": self.broken_count,
        }
        own |= {f"{name}/{key}": value for name, part in self._parts.items() for key, value in part.memory.items()}
        return own | {f"sim/{name}": value for name, value in self._sim.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned, into an environment of the same config and size."""
        own = {name: value.to(self.device) for name, value in state.items() if not name.startswith("sim/")}
        self._world.num_steps = int(own["num_steps"])
        self._world.episode_number = own["episode_number"]
        self._world.episode_step = own["episode_step"]
        self._next_episode = own["next_episode"]
        self._return = own["return"]
        self._action = own["action"]
        self._previous_action = own["previous_action"]
        self.broken_count = own["broken_count"]
        for name, part in self._parts.items():
            saved = {n.removeprefix(f"{name}/"): v for n, v in own.items() if n.startswith(f"{name}/")}
            part.memory.update(saved)
        self._sim.load_state_dict({n.removeprefix("sim/"): v for n, v in state.items() if n.startswith("sim/")})

    def close(self) -> None:
        """Nothing to free: a scene lives as long as its process."""

    def _begin(self) -> None:
        """Forget everything that was counted."""
        self._world.num_steps = 0
        first = self.purpose.episodes
        self._world.episode_number = torch.tensor(range(self.num_envs) if first is None else first, device=self.device)
        self._world.episode_step = torch.zeros_like(self._environment)
        self._next_episode = self.episode_number.max() + 1
        self._return = torch.zeros(self.num_envs, dtype=torch.float64, device=self.device)
        self._action = torch.zeros(self.num_envs, self.num_actions, device=self.device)
        self._previous_action = self._action.clone()
        self.broken_count = torch.zeros_like(self._environment)
        self._forget_terms()

    def _forget_terms(self) -> None:
        self._term_sums = {n: torch.zeros((), dtype=torch.float64, device=self.device) for n in self._rewards}
        self._term_steps = 0
        self._cause_counts = torch.zeros(len(self._causes()), dtype=torch.int64, device=self.device)

    def _causes(self) -> list[str]:
        """What may end an episode, as the learning curve names it."""
        return [f"termination/{name}" for name in ("time_out", *self._terminations)]

    def _start(self, mask: Tensor) -> None:
        """Begin episodes where masked. Shape: (num_envs,) bool."""
        self._world.episode_step = self.episode_step.masked_fill(mask, 0)
        self._return = self._return.masked_fill(mask, 0.0)
        self._action = self._action.masked_fill(mask[:, None], 0.0)
        self._previous_action = self._previous_action.masked_fill(mask[:, None], 0.0)
        self._sim.reset(mask)
        for part in self._parts.values():
            part.start(mask)

    def _drive(self, action: Tensor) -> Tensor:
        """Run the physics of a control step; returns where the simulator met an error. Shape: (num_envs,) bool."""
        for part in self._parts.values():
            action = part.act(action)
        targets = self._action_law.targets(action)
        for part in self._parts.values():
            targets = part.aim(targets)
        self._sim.set_targets(targets)
        if self.purpose.frozen:
            return ~self._everywhere
        return self._sim.advance(self.cfg.decimation, reset_failed=self.resets_broken)

    def _broken(self, state: StateView, failed: Tensor) -> Tensor:
        """Where the physics went wrong, beside where the simulator said so. Shapes: (num_envs,) bool."""
        return broken_physics(state, failed, self.tap)

    def _reward(self, state: StateView, broken: Tensor) -> tuple[Tensor, Tensor]:
        """The reward, and where it or what came before is broken. Shapes: (num_envs,), (num_envs,) bool."""
        judged = self._goal_of(state) or state
        values = {name: weight * term(judged) for name, (term, weight) in self._rewards.items()}
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
            self._term_sums[name] += value.sum(dtype=torch.float64)
        self._term_steps += 1
        return total, broken

    def _ends(self, state: StateView, broken: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Where an episode is terminated, where it is truncated and not terminated, and where by which term.

        Shapes: (num_envs,) bool.
        """
        terminated = broken if self.resets_broken else torch.zeros_like(self._everywhere)
        truncated = at_time_limit(self.purpose, self.max_steps, self.episode_number, self.episode_step)
        causes = {name: term(state) for name, term in self._terminations.items()}
        # Before the others join: the count of the time limit is its own.
        counted = torch.stack([truncated, *causes.values()]).sum(dim=1)
        for name, cause in causes.items():
            if self.cfg.terminations[name].truncates:
                truncated = truncated | cause
            else:
                terminated = terminated | cause
        self._cause_counts += counted
        return terminated, truncated & ~terminated, causes

    def _finished(self, state: StateView, ended: Tensor, causes: dict[str, Tensor]) -> Finished:
        """The episodes as they stand, with observations of final states if those are wanted."""
        # What is broken may still end an episode, after a disturbance.
        final = self.purpose.final_observations and (self.resets_broken or self._world.needed(ended))
        return Finished(
            number=self.episode_number,
            episode_return=self._return,
            length=self.episode_step,
            success=self._success.memory["ever"] if self._success else None,
            success_at_end=self._success.at_end if self._success else None,
            observations=self._observe(state, "final/") if final else None,
            measures=self._measures.means(),
            causes=causes,
        )

    def _advance(self, state: StateView) -> bool:
        """Let every part change what the next step meets; returns whether the simulator was written to."""
        written = False
        for part in self._parts.values():
            written = part.advance(state) or written
        return written

    def _kept(self, state: StateView) -> StateView:
        """Let every part remember something of the state with which the next step begins."""
        for part in self._parts.values():
            part.keep(state)
        return state

    def _observe(self, state: StateView, prefix: str = "", *, keep: bool = False) -> Observations:
        """Observations of a state; `keep` those that the policy acts on, for the history."""

        def uniform(group: str) -> Callable[[int], Tensor]:
            return lambda dim: self.draw(f"{prefix}noise/{group}", dim)

        goal = self._goal_of(state)
        found = {group.name: group.compute(state, goal, uniform(group.name), self.tap) for group in self._groups}
        for name, history in self._histories.items():
            group = name.removeprefix("history/")
            found[group] = history.stacked(found[group], self.episode_step == 0, keep=keep)
        return found

    def _weight(self, weight: float) -> float:
        return weight * self.cfg.control_dt if self.cfg.reward_per == "second" else weight

    def _goal_of(self, state: StateView) -> GoalView | None:
        return self._goal.of(state) if self._goal else None

    def _goal_view(self, achieved: Tensor, desired: Tensor) -> GoalView:
        if self._goal is None:
            raise ValueError("this environment has no goal")
        return self._goal.view(achieved, desired)
