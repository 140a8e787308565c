"""Which learning library a config names."""

from genelab.config.agent import AgentCfg
from genelab.learn.protocol import Backend


def backend_of(agent: AgentCfg) -> Backend:
    """The library that a config names. Only that one is imported."""
    if agent.trainer == "rsl_rl":
        from genelab.learn.rsl_rl import backend as rsl_rl

        return rsl_rl
    from genelab.learn.sb3 import backend as sb3

    return sb3
