"""The stages of a training as a picture of its curve lays them end to end."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from genelab.config.task import TaskSpec

OTHER_REWARDS = "other rewards"


class Segment(NamedTuple):
    """A stage on the axes of iterations and environment steps."""

    name: str
    """The stage; `the task` for the last one."""
    begin: int
    """Iterations done when it begins."""
    end: int
    """Iterations done when it ends."""
    first_step: int
    """Environment steps done when it begins."""
    steps_each: int
    """Environment steps of an iteration."""
    whole_from: int
    """First iteration, from 0, in which an episode of full length can have ended. All that ended before ended early."""
    unit: int
    """Equal where an episode's return means the same: equal rewards and time limit."""
    differs: str
    """In what a return differs from one of the evaluation; empty if in nothing but the policy's noise and the like."""

    def steps(self, iteration: int) -> int:
        """Environment steps done after an iteration of it, from 0."""
        return self.first_step + (iteration + 1 - self.begin) * self.steps_each


def segments_of(task: TaskSpec, judged_steps: int | None = None) -> list[Segment]:
    """The stages of a task.

    Args:
        task: as it was trained.
        judged_steps: control steps of an episode of the evaluation at most; None for those of the task's own protocol.
    """
    judged = judged_steps or min(task.env.max_episode_steps, task.env.control_steps(task.protocol.max_episode_s))
    found: list[Segment] = []
    kinds: list[object] = []
    begin, first_step = 0, 0
    for name, stage in task.line():
        limit_s = stage.train.episode_length_s or stage.env.length_s
        limit = min(stage.env.max_episode_steps, stage.env.control_steps(limit_s))
        rewards = stage.env.reward_unit
        kind = (rewards, limit)
        if kind not in kinds:
            kinds.append(kind)
        if rewards != task.env.reward_unit:
            differs = OTHER_REWARDS
        else:
            judged_s = judged * task.env.control_dt
            differs = "" if limit == judged else f"episodes of {limit_s:g} s, evaluated over {judged_s:g} s"
        end = begin + stage.train.iterations
        whole_from = begin + math.ceil(limit / stage.agent.num_steps_per_env) - 1
        each = stage.train.num_envs * stage.agent.num_steps_per_env
        found.append(Segment(name or "the task", begin, end, first_step, each, whole_from, kinds.index(kind), differs))
        first_step += each * stage.train.iterations
        begin = end
    return found


def panels(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Segments that follow each other and share a unit, together."""
    found: list[list[Segment]] = []
    for segment in segments:
        if found and found[-1][-1].unit == segment.unit:
            found[-1].append(segment)
        else:
            found.append([segment])
    return found
