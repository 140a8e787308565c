"""Which parts an environment has, in the order in which every hook is called."""

from genelab.config.actions import JointTargetsCfg
from genelab.config.terms import CurriculumCfg, PartCfg
from genelab.envs.goal import Goal
from genelab.envs.parts.base import Base
from genelab.envs.parts.commands import Commands
from genelab.envs.parts.delay import Delay
from genelab.envs.parts.events import Disturbances, ResetEvents
from genelab.envs.parts.feet import Feet
from genelab.envs.parts.history import History
from genelab.envs.parts.measures import Measures
from genelab.envs.parts.part import Part, PartT, World
from genelab.envs.parts.places import Curriculum, Places
from genelab.envs.parts.randomizations import Randomizations
from genelab.envs.parts.success import Success
from genelab.errors import InputError
from genelab.mdp.term import bind


def make_parts(world: World, goal: Goal | None) -> dict[str, Part]:
    """The parts that a config asks for, by name.

    A new episode gets its properties and its place first. Its commands stand before its events, which may ask what is
    commanded.

    Raises:
        InputError: if a term's function or parameters are wrong.
    """
    cfg, action = world.cfg, world.cfg.action
    disturbed = world.purpose.disturbances
    parts: dict[str, Part] = {}
    if disturbed and cfg.randomizations:
        parts["randomizations"] = Randomizations(world)
    if world.sim.cell_centers_w is not None:
        curriculum = _curriculum(world)
        parts["place"] = Places(world.sim.cell_centers_w, world, curriculum)
        parts |= {"curriculum": curriculum} if curriculum else {}
    if cfg.robot.base is not None:
        parts["base"] = Base(world)
    if cfg.feet is not None:
        parts["feet"] = Feet(world)
    for name, part in cfg.parts.items():
        parts[f"parts/{name}"] = _made(f"env.parts.{name}", part, Part, world)
    if disturbed and isinstance(action, JointTargetsCfg) and (action.latency[1] or action.noise_std):
        parts["delay"] = Delay(action, world)
    if goal is not None:
        parts["success"] = Success(goal, world)
    parts["measures"] = Measures(world)
    # Disturbances are written before commands are drawn anew.
    if disturbed:
        parts["disturbances"] = Disturbances(world)
    parts["commands"] = Commands(world)
    parts["reset_events"] = ResetEvents(world)
    return parts | {f"history/{n}": History(c.history) for n, c in cfg.observations.items() if c.history > 1}


def _curriculum(world: World) -> Curriculum | None:
    """The curriculum of a training; None for other purposes, or if the training has none."""
    cfg = world.purpose.curriculum
    return None if cfg is None else _made("train.curriculum", cfg, Curriculum, world)


def _made(path: str, cfg: PartCfg | CurriculumCfg, kind: type[PartT], world: World) -> PartT:
    made = bind(path, cfg, world.cfg)(world)
    if not isinstance(made, kind):
        raise InputError(f"{path}.func = '{cfg.func}': must return a {kind.__name__}")
    return made
