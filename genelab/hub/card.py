"""The cards of repositories: README.md with the metadata that the Hub reads."""

from collections.abc import Sequence

from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

from genelab import __version__
from genelab.hub.client import Hub
from genelab.hub.entries import Listed
from genelab.records.entry import EntryRecord, SeedResult
from genelab.records.statistics import mean
from genelab.show.text import NONE, cell, number

FILE = "README.md"
MARK = "<!-- Written by `genelab hub`, which replaces it. -->"
"""How a card of ours is known."""
TAGS = ["reinforcement-learning", "robotics", "genelab"]
HEAD = ("task", "entry", "algorithm", "seeds", "mean return", "95 % interval", "idle", "status")
CONTENT = """
Each folder `TASK/ENTRY` holds every seed of one training: policies, configuration, learning curves, and the evaluation
of the reloaded policies episode by episode, with the SHA-256 of every file in `entry.json`. The mean is over seeds,
with Student's interval; `idle` is what doing nothing earns. `preview`: not the registered task and protocol on every
planned seed.
"""


def of_entries(hub: Hub, entries: Sequence[Listed], license_name: str) -> str:
    """The card of a dataset repository, from the entries that it holds."""
    data = DatasetCardData(license=license_name, tags=TAGS, pretty_name=hub.name.split("/")[1], viewer=False)
    rows = [_row(entry) for entry in entries]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (HEAD, ("---",) * len(HEAD), *rows))
    example = entries[0].name
    return f"""---
{data.to_yaml()}
---
{MARK}

# {cell(hub.name)}

Results of robot learning that anyone can check, published by genelab.

{table}
{CONTENT}
    genelab hub pull {example} --repo {hub.name}      # copies it into your store, every digest compared
    genelab hub verify {example} --repo {hub.name}    # evaluates every policy again and compares the episodes
"""


def of_policy(
    hub: Hub, record: EntryRecord, result: SeedResult, license_name: str, source: str | None, *, film: bool
) -> str:
    """The card of a model repository: one policy of an entry. `source`: address of the entry, if it is hosted."""
    own = result.metrics
    metrics = {"mean_reward": own.return_mean, "success_rate": own.success_rate}
    results = [
        EvalResult(
            task_type="reinforcement-learning",
            task_name="reinforcement learning",
            dataset_type=record.task,
            dataset_name=record.task,
            metric_type=name,
            metric_name=name.replace("_", " "),
            metric_value=value,
            source_name="genelab entry" if source else None,
            source_url=source,
        )
        for name, value in metrics.items()
        if value is not None
    ]
    data = ModelCardData(
        license=license_name,
        tags=[*TAGS, record.task],
        library_name="genelab",
        pipeline_tag="reinforcement-learning",
        model_name=hub.name.split("/")[1],
        eval_results=results,
    )
    where = f"[`{record.entry_id}`]({source})" if source else f"`{record.entry_id}`"
    strip = "![The policy in MuJoCo](film.png)\n\n" if film else ""
    return f"""---
{data.to_yaml()}
---
{MARK}

# {record.task}, seed {result.seed}

{cell(record.summary)} Trained by {record.algorithm.upper()} ({record.trainer}); a seed of the entry {where}.

{strip}| | mean return | std over episodes | episodes |
|---|---|---|---|
| this policy | {number(own.return_mean)} | {number(own.return_std)} | {record.protocol.episodes} |
| doing nothing | {number(result.idle_return_mean)} | | {record.protocol.episodes} |
| random actions | {number(result.random_return_mean)} | | {record.protocol.episodes} |

`policy/` runs in MuJoCo without genelab: `python policy/run_policy.py`. `policy/policy.onnx.metadata.json` says what
the policy reads and what its actions mean; `policy/SHA256SUMS` has the digests. Exported by genelab {__version__}.

![Learning curves](curves.svg)
"""


def _row(entry: Listed) -> tuple[str, ...]:
    task, name = map(cell, entry.name.split("/"))
    record = entry.record
    if record is None:
        return (task, f"`{name}`", *(NONE,) * (len(HEAD) - 3), "not read by this version of genelab")
    over = record.aggregate
    idle = [run.idle_return_mean for run in record.runs]
    return (
        task + (f", variant {cell(record.variant)}" if record.variant else ""),
        f"`{name}`",
        cell(record.algorithm),
        f"{len(record.seeds.finished)}/{len(record.seeds.planned)}",
        number(over.mean) if over else NONE,
        f"{number(over.ci95[0])} to {number(over.ci95[1])}" if over and over.ci95 else NONE,
        number(mean(idle)),
        record.status,
    )
