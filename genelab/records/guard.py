"""fault.json: why a guard stopped a training, and what was saved to find out."""

from typing import Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveInt

from genelab.config.base import Sha256
from genelab.config.run import Device, NanPolicy
from genelab.records.base import Record

STATE = "state.safetensors"
"""The whole training state at the start of the iteration, beside the record."""
SCHEMA = "genelab/guard-state/1"
"""Schema of the files of tensors there."""


class GuardRecord(Record):
    """The first thing in an iteration that was not normal."""

    again = "train it again"

    schema_: Literal["genelab/guard/2"] = Field(alias="schema")
    """Name and version of this schema."""
    task: str
    """Task identifier."""
    seed: NonNegativeInt
    """Training seed."""
    config_sha256: Sha256
    """Digest of the run's snapshot."""
    phase: Literal["start", "rollout", "resets", "update"]
    """Where it showed."""
    iteration: NonNegativeInt
    """Iteration, from 0."""
    step: NonNegativeInt | None
    """Control step of the rollout, from 0; null in an update of which it belongs to no step."""
    mini_batch: NonNegativeInt | None
    """Mini-batch of the update, counted over its passes from 0; null before the first and in a rollout."""
    tensor: str
    """What was not normal."""
    value: str
    """Its first such value, as text, since JSON has no NaN."""
    rule: str
    """What it breaks."""
    environments: tuple[NonNegativeInt, ...]
    """Environments that it showed in; empty where it belongs to none."""
    last_normal: str
    """What was checked last before it, and was normal."""
    nan_policy: NanPolicy
    """What was to be done about broken environments."""
    max_env_resets: PositiveInt
    """How many of them might be reset."""
    device: Device
    """Device that it was found on."""
    reproduced: bool | None
    """Whether the same steps from the saved state led to it again; null where that was not tried."""
    found_at: AwareDatetime
    """Time, UTC."""
