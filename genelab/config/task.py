"""A task: how it is learnt, in one stage or several, and how it is evaluated, under one identifier."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from genelab.config.base import BROKEN_RULE, Cfg, FuncRef, Seed, broken_rule, known_names
from genelab.config.fit import misfit
from genelab.config.scene import EngineName
from genelab.config.stage import StageCfg
from genelab.config.vector import VectorEnvCfg
from genelab.errors import InputError

TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*-v\d+$")]


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that a dotted path may hold."""


class ProbeCfg(Cfg):
    """Fixed commands under which a policy shows what it can do: no disturbances, mean action, no reset."""

    command: str
    """Command that is fixed."""
    achieved: FuncRef
    """Function of the state view; returns what is to be compared with the command, component by component."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Names of the command's components, for tables."""
    cases: dict[Name, tuple[float, ...]] = Field(min_length=1)
    """Commands by name; each has exactly one component other than 0, the one that is measured."""
    num_envs: PositiveInt = 64
    """Environments of each case."""
    warm_up_steps: PositiveInt = 100
    """Control steps before the measurement."""
    measured_steps: PositiveInt = 200
    """Control steps of the measurement."""
    seed: Seed = 0
    """Seed of start and noise; those of environment k of a case depend on (seed, its number) alone."""

    @model_validator(mode="after")
    def _one_component_each(self) -> Self:
        for name, case in self.cases.items():
            if len(case) != len(self.columns):
                raise broken_rule(
                    f"cases.{name}", list(case), f"must have {len(self.columns)} components, as columns has"
                )
            if sum(part != 0.0 for part in case) != 1:
                raise broken_rule(f"cases.{name}", list(case), "must have exactly one component other than 0")
        return self


class ProtocolCfg(Cfg):
    """The fixed evaluation protocol. Episode k's draws depend on (seed, k) alone."""

    id: Literal["numbered-episodes"] = "numbered-episodes"
    """Name of the counting rule: every one of episodes 0..N-1 runs to its end and counts once."""
    version: Literal[1] = 1
    """Version of the protocol."""
    episodes: PositiveInt = 100
    """Numbered episodes."""
    num_envs: PositiveInt = 64
    """Parallel environments; changes speed, not results."""
    seed: Seed = 0
    """Evaluation seed, in a stream of its own."""
    max_episode_s: PositiveFloat = 30.0
    """Cap on an episode, s, if the task's own limit is longer."""
    deterministic: bool = True
    """Whether the policy acts by its mean."""
    observation_noise: bool = True
    """Whether observation noise stays on."""
    disturbances: bool = False
    """Whether the training disturbances stay on."""
    round_trip_episodes: PositiveInt = 16
    """Episodes on which the reloaded policy must reproduce the in-memory one."""


class TaskSpec(StageCfg):
    """A registered task, with everything that training and evaluation need."""

    id: TaskId
    """Identifier, ending in -vN; N rises when the task becomes another task."""
    variant: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")
    """Name of a variant of how the task is learnt; null for the task as published."""
    summary: str = ""
    """One line on what is to be learnt, as given to `register_task`."""
    task_version: PositiveInt
    """Rises with every change of reward, observation or physics under one identifier."""
    package: str
    """Import name of the package that defines the task."""
    return_ceiling: float | None = None
    """Largest possible return of an episode; null if unknown."""
    published_as: str | None = None
    """Task of the published reference tables whose rows stand beside ours; null for none."""
    stages: dict[Name, StageCfg] = {}
    """Stages that a seed is trained in before the task itself, by name, in order. Each starts from the policy of the
    one before it, and the task from that of the last. Only the task itself is evaluated."""
    demonstrator: FuncRef | None = None
    """Class of the scripted controller that `genelab collect-demos` runs; null for none."""
    baselines: tuple[Literal["frozen"], ...] = ()
    """What a policy is held against beside idle and random actions. `frozen`: the robot stands as it started, which
    nothing does by itself that would fall without a policy."""
    drawn_starts: float | None = Field(default=None, ge=0.0, le=1.0)
    """Share of the start noise of a training with which a policy is evaluated a second time, in episodes that start
    anywhere, as those of a training; null for no second time. For tasks whose numbered episodes all start alike."""
    protocol: ProtocolCfg = ProtocolCfg()
    """How a checkpoint is evaluated."""
    probe: ProbeCfg | None = None
    """How `genelab probe` looks at a checkpoint; null for a task without a command to fix."""
    overlay: FuncRef | None = None
    """Class that draws beside a film what the task is about; null for none."""

    def line(self) -> "list[tuple[str | None, TaskSpec]]":
        """The task as it is trained in each stage, with the stage's name; the last one, without a name, is itself."""
        stages: list[tuple[str | None, StageCfg]] = [*self.stages.items(), (None, self)]
        parts = [(name, {field: getattr(stage, field) for field in StageCfg.model_fields}) for name, stage in stages]
        return [(name, self.model_copy(update={**own, "stages": {}})) for name, own in parts]

    def stage(self, name: str | None) -> "TaskSpec":
        """The task as it is trained in a stage; None for the last one."""
        return dict(self.line())[name]

    def at(self, iteration: int) -> "TaskSpec":
        """The task as it is trained in an iteration, counted from 0 over all stages; the last stage has no end here."""
        *earlier, (_, last) = self.line()
        for _, stage in earlier:
            if iteration < stage.train.iterations:
                return stage
            iteration -= stage.train.iterations
        return last

    def on(self, engine: EngineName | None) -> "TaskSpec":
        """The task in another simulator, its stages as they are; None for its own.

        Raises:
            InputError: if it is no scene, and the other is not its own.
        """
        if engine is None:
            return self
        if isinstance(self.env, VectorEnvCfg):
            if engine != self.env.engine:
                raise InputError(f"--engine {engine}: '{self.env.make}' of {self.id} runs in {self.env.engine} alone")
            return self
        sim = self.env.sim.model_copy(update={"engine": engine})
        return self.model_copy(update={"env": self.env.model_copy(update={"sim": sim})})

    @property
    def all_iterations(self) -> int:
        """Learning iterations of all stages."""
        return sum(stage.train.iterations for _, stage in self.line())

    def env_steps(self, iterations: int) -> int:
        """Control steps over all environments in the first so many of all iterations."""
        steps = 0
        for _, stage in self.line():
            done = min(iterations, stage.train.iterations)
            steps += done * stage.train.num_envs * stage.agent.num_steps_per_env
            iterations -= done
        return steps

    @model_validator(mode="after")
    def _stages_fit_together(self) -> Self:
        for (name, before), (own_name, own) in pairwise([*self.stages.items(), ("", self)]):
            if told := misfit(before, own):
                field = f"stages.{own_name}" if own_name else "the task"
                raise PydanticCustomError(
                    BROKEN_RULE,
                    "{field} cannot start from stages.{name}: there, {told}",
                    {"field": field, "name": name, "told": told},
                )
        return self

    @model_validator(mode="after")
    def _has_a_scene_for_what_needs_one(self) -> Self:
        if isinstance(self.env, VectorEnvCfg):
            for field in ("demonstrator", "baselines", "drawn_starts", "probe", "overlay"):
                if (found := getattr(self, field)) != (without := type(self).model_fields[field].default):
                    raise broken_rule(field, found, f"must be {without!r}: env.make is no scene")
        return self

    @model_validator(mode="after")
    def _probe_names_a_command(self) -> Self:
        if self.probe is not None:
            known_names("probe.command", self.probe.command, [self.probe.command], "command", self.scene.commands)
            steps = self.probe.warm_up_steps + self.probe.measured_steps
            if steps >= self.env.max_episode_steps:
                rule = (
                    f"must stay below the {self.env.max_episode_steps} control steps of an episode with warm_up_steps"
                )
                raise broken_rule("probe.measured_steps", self.probe.measured_steps, rule)
        return self
