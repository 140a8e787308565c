"""One environment that is played step by step, without a page."""

import dataclasses
from dataclasses import dataclass

from genelab.config.task import TaskSpec
from genelab.envs.make import make_scene
from genelab.envs.purpose import Purpose
from genelab.evaluation.episodes import Policy
from genelab.evaluation.evaluate import IdlePolicy
from genelab.sim.session import Session


@dataclass(frozen=True)
class Ended:
    """An episode that ended."""

    number: int
    """Its number in the evaluation."""
    seconds: float
    """Its length, s."""
    episode_return: float
    """Its return."""
    cause: str
    """Terminations that were met, or what else ended it."""


class Player:
    """Plays the numbered episodes of an evaluation, one after the other."""

    def __init__(self, task: TaskSpec, session: Session, episode: int) -> None:
        """Build the environment and start an episode with an idle policy.

        Raises:
            InputError: if a term's function or parameters are wrong, or the model file is another one.
            RunError: if the simulator holds something else than the config says.
        """
        self._first = [episode]
        purpose = Purpose.evaluation(task, task.protocol, episodes=self._first)
        # What breaks is shown, and the next episode follows.
        self.env = make_scene(task, dataclasses.replace(purpose, reset_broken=True), 1, session)
        self._dt = task.env.control_dt
        self.policy: Policy = IdlePolicy(self.env)
        """Acts; may be replaced at any time."""
        self.ended: Ended | None = None
        """The last episode that ended by itself."""
        self.restart()

    def restart(self, episode: int | None = None) -> None:
        """Begin an episode; None for the running one."""
        self._first[0] = self.number if episode is None else episode
        self.observations = self.env.reset()
        """What the policy reads next."""
        self.episode_return = 0.0

    @property
    def number(self) -> int:
        """Number of the running episode."""
        return int(self.env.episode_number[0])

    @property
    def seconds(self) -> float:
        """Time since the running episode began, s."""
        return int(self.env.episode_step[0]) * self._dt

    def step(self) -> None:
        """Go on by a control step. When the episode ends, the next one starts in the same step."""
        step = self.env.step(self.policy(self.observations))
        self.observations, self.episode_return = step.observations, self.episode_return + float(step.reward[0])
        if bool((step.terminated | step.truncated)[0]):
            finished = step.finished
            met = [name.replace("_", " ") for name, cause in finished.causes.items() if bool(cause[0])]
            cause = "the state broke" if bool(step.broken[0]) else " and ".join(met) or "time limit"
            seconds = int(finished.length[0]) * self._dt
            self.ended = Ended(int(finished.number[0]), seconds, float(finished.episode_return[0]), cause)
            self.episode_return = 0.0
