"""Whether a training can start from the policy of another one, and with what: told from the configs alone."""

from genelab.config.stage import StageCfg
from genelab.config.vector import VectorEnvCfg


def misfit(before: StageCfg, own: StageCfg) -> str | None:
    """The first difference between two trainings that keeps one from starting from the other; None if there is none.

    The networks must read and drive the same, but for what `own.start` says is new: observed positions are told from
    the default pose, and actions by their scale.

    Args:
        before: how the policy was trained.
        own: the training that is to start from it.
    """
    if own.agent.algorithm != "ppo" or own.agent.trainer != "rsl_rl":
        learner = f"{own.agent.algorithm} of {own.agent.trainer}"
        return f"the learner is {learner}, only ppo of rsl_rl can start from another policy"
    same = {f: (getattr(before.agent, f, None), getattr(own.agent, f)) for f in _NETWORKS}
    pairs = {
        "agent.algorithm": (before.agent.algorithm, own.agent.algorithm),
        "agent.trainer": (before.agent.trainer, own.agent.trainer),
        "the action": (list(before.env.action_columns), list(own.env.action_columns)),
        "env.make": (_maker(before), _maker(own)),
        "env.robot.model": (_model(before), _model(own)),
        **{f"agent.{field}": pair for field, pair in same.items()},
    }
    for field, (theirs, mine) in pairs.items():
        if theirs != mine:
            return f"{field} is {theirs}, must be {mine}"
    return _other_robot(before, own) or _other_observations(before, own)


_NETWORKS = ("actor", "critic", "normalization", "std_by_state", "squashed")


def _maker(stage: StageCfg) -> str | None:
    return stage.env.make if isinstance(stage.env, VectorEnvCfg) else None


def _model(stage: StageCfg) -> str | None:
    return None if isinstance(stage.env, VectorEnvCfg) else stage.env.robot.model


def _other_robot(before: StageCfg, own: StageCfg) -> str | None:
    if isinstance(own.env, VectorEnvCfg):
        return None
    for joint in own.env.robot.joints:
        found, mine = (stage.scene.robot.default_of(joint) for stage in (before, own))
        if found != mine:
            return f"env.robot.default_pos.{joint} is {found}, must be {mine}"
    for joint, scale in own.env.action_scale.items():
        found = before.scene.action_scale.get(joint)
        if joint not in own.fresh_joints and found != scale:
            return f"env.action.scale of {joint} is {found}, must be {scale}"
    return None


def _other_observations(before: StageCfg, own: StageCfg) -> str | None:
    for name in own.agent.groups:
        mine, theirs = own.env.observations[name], before.env.observations.get(name)
        terms = {term: cfg for term, cfg in mine.terms.items() if term not in own.start.new_terms}
        if theirs is None or list(terms) != list(theirs.terms) or mine.history != theirs.history:
            found = "absent" if theirs is None else f"{list(theirs.terms)} x {theirs.history}"
            return f"env.observations.{name} is {found}, must be {list(terms)} x {mine.history}"
        for term, cfg in terms.items():
            for field in ("func", "params", "scale", "bounds"):
                if getattr(cfg, field) != (found := getattr(theirs.terms[term], field)):
                    told = f"is {found}, must be {getattr(cfg, field)}"
                    return f"env.observations.{name}.terms.{term}.{field} {told}"
    return None


def taken_over(own: StageCfg) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a training takes from the policy that it starts from, and what it starts anew, in words."""
    start, running = own.start, own.agent.normalization == "running"
    anew = own.fresh_joints
    others = [joint for joint in own.env.action_columns if joint not in anew]
    loaded, fresh = ["policy weights", "value weights"], ["optimiser"]
    if running:
        loaded.append("normaliser statistics")
    if others:
        loaded.append(f"action noise of {', '.join(others)}" if anew else "action noise")
    if anew:
        fresh.append(f"action noise{' and statistics' if running else ''} of {', '.join(anew)}")
    if own.locked_joints:
        fresh.append(f"mean action and input weights of {', '.join(own.locked_joints)}, from 0")
    if start.new_terms:
        fresh.append(f"weights of {', '.join(start.new_terms)}, from 0")
    return tuple(loaded), tuple(fresh)
