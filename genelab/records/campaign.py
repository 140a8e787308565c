"""The files of a campaign: what is wanted, what is to be trained, and every decision. Progress is stored nowhere."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeInt, PositiveFloat, PositiveInt, StringConstraints

from genelab.config.base import Seed, Sha256
from genelab.config.overrides import Override
from genelab.config.run import ExecutionCfg
from genelab.records.base import Record
from genelab.records.compare import FieldDifference

Metric = Literal["return_mean", "success_rate", "final_average", "strength", "stability"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,29}$")]
"""Name of a campaign and of its directory. With that of an item, the name of an entry stays short enough."""
ItemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,29}$")]
"""Name of an item and of its file: without a dot, and no number, `CAMPAIGN.ITEM.2` can be read in one way only."""
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Event = Literal["new", "target", "add", "queue", "move", "withdraw", "refute", "reject", "judge"]
Decision = Literal["adopt", "revert", "repeat", "drop"]


class Caps(Record):
    """What a campaign may cost. From 80 % on there is a warning; what would go beyond 100 % is refused."""

    env_steps: PositiveInt | None = None
    """Control steps of one run over all environments and stages; null for no limit."""
    runs: PositiveInt | None = None
    """Runs, one for each seed; null for no limit."""
    hours: PositiveFloat | None = None
    """Wall-clock of training, summed over runs, h; null for no limit."""
    attempts: PositiveInt = 3
    """Launches of a seed that fails, each time its item is queued."""


class Target(Record):
    """What a task is to reach."""

    task: str
    """Task identifier."""
    variant: str | None
    """Variant of the task; null for the task itself."""
    metric: Metric
    """What the number measures. It must be what the campaign judges."""
    value: float | None
    """The number; null where there is none that proves anything, and `source` says why."""
    n_seeds: PositiveInt | None
    """Seeds behind the number; null if not known."""
    idle: float | None
    """What doing nothing earns, as far as it was known without an entry of ours; null if it was not."""
    protocol_sha256: Sha256
    """Digest of the protocol under which it is to be reached."""
    source: Text
    """Where the number comes from, or why there is none."""


class CampaignRecord(Record):
    """campaign.json: the rules, fixed when the campaign begins, and the targets."""

    schema_: Literal["genelab/campaign/1"] = Field(alias="schema")
    """Name and version of this schema."""
    name: Name
    """Name of the campaign and of its directory."""
    purpose: Text
    """What it is for."""
    metric: Metric
    """The one metric that is judged; the others are shown."""
    pass_rule: Literal["one-sided-t95"] = "one-sided-t95"
    """Reached: the one-sided 95 % lower t bound of the mean over seeds is not below the target."""
    margin: float = Field(default=0.05, gt=0.0, lt=1.0)
    """Difference that counts in a comparison, as a share of the larger distance to doing nothing."""
    caps: Caps
    """What it may cost."""
    principles: tuple[Text, ...] = ()
    """What whoever works on it should know."""
    targets: tuple[Target, ...] = ()
    """One for each task and variant."""


class Premise(Record):
    """What an item takes for granted."""

    text: Text
    """The premise."""
    source: Text
    """Where it is said or shown."""


class ItemRecord(Record):
    """items/<id>.json: one training on several seeds, as intended."""

    schema_: Literal["genelab/campaign_item/1"] = Field(alias="schema")
    """Name and version of this schema."""
    id: ItemName
    """Name of the item and of its file."""
    task: str
    """Task identifier."""
    variant: str | None
    """Variant of the task; null for the task itself."""
    overrides: tuple[Override, ...]
    """Values of the registered task that are set."""
    seeds: tuple[Seed, ...] = Field(min_length=1)
    """Training seeds. `judge --decision repeat` adds more."""
    execution: ExecutionCfg
    """What each seed runs on."""
    baseline: str | None
    """What it is compared with: `TASK/ENTRY` of the store, or another item, whose entry then counts. Null for the first
    training of a configuration."""
    wave: Text | None
    """Name of a group of items; null for none."""
    hypothesis: Text | None
    """What the change is hoped to do; null for an item without a change."""
    expect: Literal["better", "worse", "same"] | None
    """What the comparison should say if the hypothesis holds; null for an item without a change."""
    premise: Premise | None
    """What it takes for granted; null for nothing."""
    joint: Text | None
    """Why several values change at once; null for one change. The verdict then reads confounded."""
    corrects: ItemName | None
    """A rejected item in whose place it stands; null for none."""
    why: Text
    """Why it is worth its cost."""
    config_sha256: Sha256
    """Digest of the configuration, as resolved when the item was added."""
    changes: tuple[FieldDifference, ...]
    """Where that configuration differs from the baseline's, or from the registered task."""
    env_steps: PositiveInt
    """Control steps of one run."""


class EventRecord(Record):
    """A line of events.jsonl: one decision. The file is only ever appended to."""

    schema_: Literal["genelab/campaign_event/1"] = Field(alias="schema")
    """Name and version of this schema."""
    at: AwareDatetime
    """When, UTC."""
    who: Text
    """Who decided."""
    what: Event
    """What was done."""
    why: str
    """Why; empty where nothing has to be said."""
    item: ItemName | None = None
    """The item it is about; null for the campaign."""
    file: str | None = None
    """File of the campaign that it wrote; null for none."""
    sha256: Sha256 | None = None
    """Digest of that file as written, by which a change by hand is found."""
    priority: NonNegativeInt | None = None
    """Place in the queue, 0 first: of queue and move."""
    decision: Decision | None = None
    """Of judge."""
    seeds: tuple[Seed, ...] = ()
    """Seeds added: of the decision to repeat."""
