"""An inspection as text."""

from typing import get_args

from genelab.inspection import flags
from genelab.records.inspection import Flag, InspectedColumn, InspectedGroup, Inspection
from genelab.show.table import table_lines

SEEN = {
    "normaliser": "seen: what the network's normaliser makes of it",
    "predicted": "will be normalised; seen: as by the statistics of this rollout",
    "unnormalised": "seen: the scaled value itself, the network has no normaliser",
    "declared": "values as stored, which the file says are normalised",
    "action": "seen: the action as the policy gives it",
}
"""What the last two numbers of a row are of."""

MEANING: dict[Flag, str] = {
    "non_finite": "NaN or infinity; left out of all other numbers",
    "constant": "never changes",
    "only_noise": "holds nothing but its own noise",
    "mean_far_from_zero": "the network sees a mean far from 0",
    "spread_far_from_one": "the network sees a standard deviation far from 1",
    "outside_bounds": f"more than {flags.OUTSIDE_SHARE:.0%} of the values lie outside the bound",
    "saturated": f"more than {flags.SATURATED_SHARE:.0%} of the actions reach their limit or go beyond it",
    "never_normalised": "declared normalised, but most columns do not have mean 0 and standard deviation 1",
    "already_normalised": "declared raw, but standardised already: a normaliser would be a second one",
    "normalised_twice": "standardised before it meets a normaliser that expects other numbers",
}
"""What a flag says. Thresholds: `genelab.inspection.flags`."""


def lines(inspection: Inspection) -> list[str]:
    """The whole report."""
    text = [_title(inspection)]
    for group in inspection.groups:
        text += ["", *_group(group)]
    found = inspection.flags()
    text += ["", f"{len(found)} flag{'' if len(found) == 1 else 's'}"]
    return text + [f"  {_upper(flag)}: {MEANING[flag]}" for flag in get_args(Flag) if flag in found]


def _title(inspection: Inspection) -> str:
    run = inspection.rollout
    if run is None:
        kind = "normalised" if inspection.normalized else "raw"
        return f"{inspection.target}: demonstrations of {inspection.task}, declared {kind}{_episodes(inspection)}"
    policy = "random actions" if run.policy == "random" else f"policy of {inspection.target}"
    return f"{inspection.task}, {policy}, {run.num_envs} envs x {run.steps} steps, seed {run.seed}, on {run.device}"


def _episodes(inspection: Inspection) -> str:
    made = inspection.collection
    if made is None:
        return ""
    told = f", {made.episodes} episodes, return {made.return_mean:.3f}"
    rates = {"ever": made.success_rate, "at the end": made.success_at_end_rate}
    known = [f"{rate:.1%} {when}" for when, rate in rates.items() if rate is not None]
    return told + (f", success {', '.join(known)}" if known else "")


def _group(group: InspectedGroup) -> list[str]:
    facts = [f"{group.rows} rows"]
    if group.normalization is not None:
        facts.append(f"normalisation {group.normalization}")
    if group.seen is not None:
        facts.append(SEEN[group.seen])
    head = [f"{group.name}: {', '.join(facts)}", *(f"  FLAG: {_upper(f)}: {MEANING[f]}" for f in group.flags)]
    columns = group.columns
    cells: dict[str, list[str]] = {
        "name": [column.name for column in columns],
        "bound": [_bound(column) for column in columns],
        **{name: [_number(getattr(column, name)) for column in columns] for name in ("mean", "std", "min", "max")},
        "outside": [_share(column.share_outside) for column in columns],
        "clipped": [_share(column.share_clipped) for column in columns],
    }
    optional = {
        "saturated": [_share(column.share_saturated) for column in columns],
        "seen mean": [_number(column.seen_mean) for column in columns],
        "seen std": [_number(column.seen_std) for column in columns],
    }
    cells |= {name: texts for name, texts in optional.items() if set(texts) != {"-"}}
    cells["flags"] = [", ".join(_upper(flag) for flag in column.flags) for column in columns]
    return head + [f"  {line}" for line in table_lines(cells, left=("name", "flags"))]


def _bound(column: InspectedColumn) -> str:
    return "-" if column.bound is None else f"{column.bound[0]:.4g} .. {column.bound[1]:.4g}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _upper(flag: Flag) -> str:
    return flag.replace("_", " ").upper()
