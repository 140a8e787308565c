"""`<policy>.metadata.json`: what an exported policy expects and returns, where it comes from, and how true it is."""

from typing import Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from genelab.config.base import AssetRef, FuncRef, Param, Sha256
from genelab.config.scene import ActuatorLaw, Vector
from genelab.records.base import Record
from genelab.records.run import TrainedCheckpoint

ExportFormat = Literal["torchscript", "onnx"]
"""File formats of an exported policy."""


class ExportedFile(Record):
    """The policy file."""

    name: str
    """File name; the file lies beside this one."""
    format: ExportFormat
    """File format."""
    sha256: Sha256
    """Digest of the file."""
    bytes: PositiveInt
    """Size of the file."""


class TensorSpec(Record):
    """The input or the output of the policy file."""

    name: str
    """Name in an ONNX file. A TorchScript module takes and returns the tensor by position."""
    dtype: Literal["float32"]
    """Element type."""
    shape: tuple[Literal["batch"], PositiveInt]
    """Any number of rows, and the width of a row."""


class ObservationSlice(Record):
    """Where one observation term stands in the input."""

    name: str
    """Name of the term."""
    start: NonNegativeInt
    """First column."""
    stop: PositiveInt
    """Column after the last."""
    columns: tuple[str, ...] = Field(min_length=1)
    """A name for each column: joints, axes, or numbers where the function does not say."""
    unit: str | None
    """Unit of the value, empty for a number without one; null if the function does not say."""
    scale: float
    """Factor from the value to the input."""
    training_noise: NonNegativeFloat | None
    """Half width of the uniform noise that the policy was trained with, in the unit of the value; null for none."""
    func: FuncRef
    """Function that computes the value in simulation."""
    params: dict[str, Param]
    """Its arguments."""
    bounds: tuple[tuple[float, float], ...] | None = None
    """Lowest and highest value of every column, in the unit of the value, before the scale; null if none is known."""
    age: NonNegativeInt = 0
    """Control steps ago of the frame that it belongs to, of an input with a history: an episode starts with copies of
    its first frame. 0 for the newest."""
    meaning: str | None
    """What the function returns, with unit and frame; null if it does not say."""


class Observation(Record):
    """How to fill the input."""

    input: TensorSpec
    """The input."""
    formula: str
    """How a term fills its columns."""
    noise: Literal["none"]
    """Noise to add: the values are expected as measured."""
    normalization: Literal["running", "fixed", "none"]
    """Normaliser inside the file: feed the input as the formula gives it. `none`: the policy has no normaliser."""
    terms: tuple[ObservationSlice, ...] = Field(min_length=1)
    """Terms in the order of the columns, without gaps."""

    @model_validator(mode="after")
    def _without_gaps(self) -> Self:
        starts = (0, *(term.stop for term in self.terms))
        ends = (*(term.start for term in self.terms), self.input.shape[1])
        if starts != ends or any(term.stop <= term.start for term in self.terms):
            raise ValueError(f"the terms do not cover {self.input.shape[1]} columns one after the other")
        return self


class ActionJoint(Record):
    """One driven joint, and the PD law that turned its target into a force in simulation."""

    name: str
    """Joint name."""
    default_pos: float
    """Default position, m or rad."""
    range: tuple[float, float] | None
    """Joint limits, m or rad, null for none. Targets are clipped to them only where the formula says so."""
    kp: NonNegativeFloat
    """Position gain, N/m or N m/rad."""
    kv: NonNegativeFloat
    """Velocity gain towards zero velocity, N s/m or N m s/rad."""
    effort_limit: PositiveFloat | None
    """Largest absolute force or torque, N or N m; null for none."""
    velocity_limit: PositiveFloat | None = None
    """No-load speed, m/s or rad/s: at it nothing is left of the effort in its direction. null for none."""
    law: ActuatorLaw = "implicit_pd"
    """What the actuator made of the target. Under `implicit_pd` its damping acted at the end of a step."""


class Action(Record):
    """What the output means: how the targets of the driven joints follow from it."""

    output: TensorSpec
    """The output."""
    kind: str
    """What it commands: `action.kind` of the task."""
    columns: tuple[str, ...] = Field(min_length=1)
    """What the columns of the output belong to: joints, or directions of the world frame."""
    formula: tuple[str, ...] = Field(min_length=1)
    """From the output to the targets, step by step, in terms of `constants`, `symbols` and fields of `joints`."""
    constants: dict[str, Param]
    """Numbers in the formula; lists in the order of `joints`."""
    symbols: dict[str, str]
    """What else the formula names. All of it is sensed when the action is given."""
    unit: str
    """Unit of a target."""
    joints: tuple[ActionJoint, ...] = ()
    """Driven joints, in the order of the columns or of `J`; empty where the environment is no scene."""
    fingers: tuple[ActionJoint, ...] = ()
    """Joints of a gripper, which share one target; empty without one."""
    gravity_compensation: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of its own weight that the robot carried by itself, beside the laws of the joints."""
    training_latency: tuple[NonNegativeInt, NonNegativeInt] = (0, 0)
    """Fewest and most control steps by which actions were late in training."""
    training_noise_std: NonNegativeFloat = 0.0
    """Standard deviation of the noise on them in training, in action units."""

    @model_validator(mode="after")
    def _one_column_each(self) -> Self:
        if len(self.columns) != self.output.shape[1]:
            raise ValueError(f"{len(self.columns)} named columns, the output has {self.output.shape[1]}")
        return self


class PassiveJoint(Record):
    """What a joint does by itself in simulation."""

    armature: NonNegativeFloat
    """Inertia of its motor as felt at the joint, kg or kg m^2."""
    damping: NonNegativeFloat
    """Force against its speed, N s/m or N m s/rad."""
    friction_loss: NonNegativeFloat
    """Dry friction, N or N m."""


class Robot(Record):
    """The simulated robot and the ground that it stands on."""

    model: AssetRef
    """MJCF file, `package:path`."""
    model_sha256: Sha256
    """Its digest. Bodies, masses, ranges and the geometry of contacts stand in it."""
    left_out: tuple[str, ...] = ()
    """Geoms of the file that the robot is without."""
    pos: Vector
    """Added to the base position in the file at the start of an episode, m."""
    default_pos: dict[str, float]
    """Default pose: position of every joint, m or rad."""
    passive: dict[str, PassiveJoint]
    """What every joint does by itself, those included that nothing drives."""
    friction: dict[str, float]
    """Sliding friction of the links that can touch something. A contact takes the larger one of the two that touch."""
    ground_friction: PositiveFloat | None
    """That of the ground; null without one."""
    gravity: Vector
    """World frame, m/s^2."""


class GoalTerm(Record):
    """A function of the simulation behind a goal."""

    func: FuncRef
    """The function."""
    params: dict[str, Param]
    """Its arguments."""
    meaning: str | None
    """What it returns, with unit and frame; null if it does not say."""


class Goal(Record):
    """What the goals of a goal-conditioned policy are."""

    achieved: GoalTerm
    """What is the case: the achieved goal."""
    desired: GoalTerm
    """What was asked for in training: the desired goal."""
    tolerance: PositiveFloat
    """Distance at which a goal counts as reached, in its unit."""


class ControlTiming(Record):
    """When to run the policy."""

    control_dt: PositiveFloat
    """Time between two actions, s. A target holds until the next one."""
    physics_dt: PositiveFloat | None = None
    """Physics time step of the simulation, s; null where the environment is no scene."""
    substeps: PositiveInt | None = None
    """Integrator steps of it."""
    decimation: PositiveInt | None = None
    """Physics steps per action."""
    episode_steps: PositiveInt
    """Actions of an episode in training."""


class Parity(Record):
    """The file as a deployer loads it, against the policy as evaluation runs it."""

    recorded_rows: PositiveInt
    """Observations recorded when the policy was evaluated at the end of its training."""
    random_rows: NonNegativeInt
    """Random observations around them."""
    batch_sizes: tuple[PositiveInt, ...] = Field(min_length=1)
    """Rows per call, each size over all rows."""
    largest_action: NonNegativeFloat
    """Largest absolute action on the recorded observations."""
    max_abs_difference: NonNegativeFloat
    """Largest absolute difference of an action."""
    tolerance: PositiveFloat
    """Largest difference allowed: 1e-5 times the largest action, and at least 1e-5."""
    passed: bool
    """Whether the difference is within the tolerance. A file that does not pass is not kept."""


class ExportRecord(Record):
    """`<policy>.metadata.json`."""

    schema_: Literal["genelab/export/2"] = Field(alias="schema")
    """Name and version of this schema."""
    task: str
    """Task identifier."""
    task_version: PositiveInt
    """Version of the task under its identifier."""
    seed: NonNegativeInt
    """Training seed."""
    config_sha256: Sha256
    """Digest of the configuration that the policy was trained with."""
    checkpoint: TrainedCheckpoint
    """The checkpoint exported."""
    file: ExportedFile
    """The policy file."""
    observation: Observation
    """How to fill the input."""
    goals: tuple[Observation, ...] = ()
    """Further inputs of a goal-conditioned policy, in the order of the arguments."""
    goal: Goal | None = None
    """What its goals are; null for a policy without."""
    action: Action
    """What the output means."""
    robot: Robot | None
    """What moves, and what it stands on."""
    timing: ControlTiming
    """When to run the policy."""
    parity: Parity
    """That the file is the policy."""
    versions: dict[str, str]
    """Versions of what wrote and checked the file, by distribution name, `python` among them."""
