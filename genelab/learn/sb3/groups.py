"""The observation groups of a goal-conditioned environment, as Stable-Baselines3 names and orders them."""

from genelab.learn.policy import Layout, layout_dim

ACHIEVED, DESIRED, OBSERVATION = "achieved_goal", "desired_goal", "observation"
GROUPS = (ACHIEVED, DESIRED, OBSERVATION)
"""Observation groups in the order in which the networks read them: Stable-Baselines3 sorts them by name."""


def widths(layout: Layout) -> dict[str, int]:
    """Width of each observation group, in the order of `GROUPS`."""
    return {group: layout_dim(layout, group) for group in GROUPS}
