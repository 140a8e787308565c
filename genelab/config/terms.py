"""Terms of an environment: functions with their parameters. Each is pure, and knows no simulator."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from genelab.config.base import Cfg, FuncRef, Param, low_to_high, rising


class ObservationTermCfg(Cfg):
    """One observation: (value + noise) x scale."""

    func: FuncRef
    """Function of the state view; returns (num_envs, dim)."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    noise: NonNegativeFloat | None = None
    """Half width of the uniform noise added before the scale, in the unit of the value; null for none."""
    scale: float = 1.0
    """Factor applied after the noise."""
    bounds: tuple[Annotated[tuple[float, float], AfterValidator(rising)], ...] | None = Field(
        default=None, min_length=1
    )
    """Lowest and highest value that physics allows or the task expects, in the unit of the value, before noise and
    scale: one pair per dimension, or one for all. `agent.normalization = fixed` maps it to -1 and 1, without clipping.
    Null where none is known."""


Columns = tuple[Sequence[str], str | None]
"""Names of the columns of a term and the unit of its value, null where its function does not say."""


def layout_rows(cfg: "ObservationGroupCfg", columns: Sequence[Columns]) -> list[dict[str, Any]]:
    """Where the terms of a group stand, frame by frame, the oldest first.

    A group with a history says in each row how many control steps ago its frame was.

    Args:
        cfg: the group.
        columns: of each term of each frame.

    Raises:
        ValueError: if there is another number of them.
    """
    frames = [(age, *term) for age in reversed(range(cfg.history)) for term in cfg.terms.items()]
    rows: list[dict[str, Any]] = []
    for (age, name, term), own in zip(frames, columns, strict=True):
        row = layout_row(name, term, rows[-1]["stop"] if rows else 0, own)
        rows.append(row if cfg.history == 1 else {**row, "age": age})
    return rows


def layout_row(name: str, cfg: ObservationTermCfg, start: int, columns: Columns) -> dict[str, Any]:
    """Where a term stands in its group, how it is scaled, and its bounds if it has any, one pair per column."""
    names, unit = columns
    stop = start + len(names)
    row: dict[str, Any] = {"name": name, "start": start, "stop": stop, "columns": list(names), "unit": unit}
    row |= {"scale": cfg.scale, "func": cfg.func, "params": cfg.model_dump(mode="json")["params"]}
    if cfg.bounds is not None:
        row["bounds"] = [list(pair) for pair in cfg.bounds] * (stop - start if len(cfg.bounds) == 1 else 1)
    return row


class ObservationGroupCfg(Cfg):
    """Observations concatenated in the order in which they stand."""

    terms: dict[str, ObservationTermCfg] = Field(min_length=1)
    """Observation terms by name; the order is the layout."""
    noise: bool
    """Whether the noise of the terms applies in this group."""
    history: PositiveInt = 1
    """Frames in the observation, of this and the control steps before, oldest first. An episode starts with copies of
    its first frame."""


class RewardTermCfg(Cfg):
    """One reward term: weight x value, x control dt too where weights are per second."""

    func: FuncRef
    """Function of the state view, or of the goal where there is one; returns (num_envs,)."""
    weight: float
    """Reward per unit of value, and per second or control step as `reward_per` says."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    bounds: Annotated[tuple[float, float], AfterValidator(rising)] | None = None
    """Lowest and highest value that the function returns, before the weight; null where none is known. Learners that
    estimate values check theirs against it."""


class TerminationCfg(Cfg):
    """One reason to end an episode."""

    func: FuncRef
    """Function of the state view; returns (num_envs,) bool."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    truncates: bool = False
    """Whether the episode is cut short as by the time limit, so that the value of its last state still counts, and not
    ended as by a failure."""


class RandomizationCfg(Cfg):
    """A property of the robot that is drawn anew: for each environment in training, for each episode in evaluation.

    It is off where disturbances are.
    """

    func: FuncRef
    """Function of the event context; returns the properties to write."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class MeasureCfg(Cfg):
    """Something measured in every control step of an evaluation; the record holds its mean over each episode."""

    func: FuncRef
    """Function of the state view; returns (num_envs,)."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    unit: str
    """Unit of the value, for tables."""


class ResetEventCfg(Cfg):
    """A state written when an episode starts."""

    func: FuncRef
    """Function of the event context; returns the state to write."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class IntervalEventCfg(Cfg):
    """A state written at random intervals. The timer of an environment runs on across its episodes."""

    func: FuncRef
    """Function of the event context; returns the state to write."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    interval_s: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(low_to_high)]
    """Shortest and longest time between two events, s, drawn uniformly."""


class FollowCfg(Cfg):
    """How a command comes of what was drawn, in every control step."""

    func: FuncRef
    """Function of a `genelab.mdp.state.Drawn`; returns (num_envs, dim)."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class CommandCfg(Cfg):
    """What the policy is asked for, drawn when an episode starts, and again in it if `resample_s` says so.

    A new command shows in the observation of its own step, and in the reward of the next: a step is judged by the
    command that its action answered.
    """

    func: FuncRef
    """Function of the event context; returns (num_envs, dim)."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    resample_s: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(low_to_high)] | None = None
    """Shortest and longest time until it is drawn again within an episode, s, drawn uniformly; null for never."""
    follow: FollowCfg | None = None
    """Makes the command of what was drawn and of the state, such as a turn of a heading; null where it is what was
    drawn."""


class PartCfg(Cfg):
    """A part of the environment that a family of tasks or a task package adds, such as a sensor with a memory."""

    func: FuncRef
    """Function of the parts' world; returns a `genelab.envs.parts.part.Part`."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class CurriculumCfg(Cfg):
    """How the environments of a training move between the levels of a terrain. An evaluation has its own levels."""

    func: FuncRef
    """Function of the parts' world; returns a `genelab.envs.parts.places.Curriculum`."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""


class GoalCfg(Cfg):
    """A goal: what is achieved is compared with a command.

    Reward terms are functions of the goal then and not of the state, so that what was done can be judged again by
    another goal. Observation terms may be, if their function's first argument is called `goal`.
    """

    achieved: FuncRef
    """Function of the state view; returns (num_envs, dim), in the unit of the command."""
    params: dict[str, Param] = {}
    """Keyword arguments of the function."""
    command: str
    """Command that is the desired goal."""
    tolerance: PositiveFloat
    """Distance at which the goal counts as reached, in the unit of the command. Success, reward and documents read it
    here."""


TermCfg = (
    ObservationTermCfg
    | RewardTermCfg
    | TerminationCfg
    | ResetEventCfg
    | IntervalEventCfg
    | CommandCfg
    | FollowCfg
    | RandomizationCfg
    | MeasureCfg
    | PartCfg
)
