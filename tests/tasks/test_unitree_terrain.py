"""Go1 on uneven ground in the simulator: where it starts, what it feels and sees, and how it moves between levels."""

import pytest
import torch
from tensordict import TensorDict
from torch import Tensor

from genelab.config.agent import PpoCfg
from genelab.config.env import EnvCfg
from genelab.config.terrain import FlatCfg, PyramidStairsCfg, TerrainCfg
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.envs.step import Observations
from genelab.errors import InputError, RunError
from genelab.evaluation.episodes import Policy, run_episodes
from genelab.learn.backend import backend_of
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.rsl_rl.networks import build_actor, build_critic
from genelab.mdp.state import StateWrite
from genelab.registry import get_task
from genelab.sim.engine import Engine
from genelab.sim.genesis import read_back
from genelab.sim.make import make_engine
from genelab.sim.session import Session

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]

ROUGH = "Genelab-Velocity-Rough-Unitree-Go1-v0"
N = 8
EVERYWHERE = torch.ones(N, dtype=torch.bool)
RISER = 0.1
"""Height of a step at the last level, m. In the half cell of 4 m, (4 - 1.5) / 0.3 = 8 steps fit beside the platform."""


@pytest.fixture(scope="module")
def cfg() -> EnvCfg:
    """The task on a terrain of two levels: flat ground, and stairs with a wide platform on top."""
    env = get_task(ROUGH).env
    stairs = PyramidStairsCfg(step_height=(0.0, RISER), platform=3.0)
    terrain = TerrainCfg(rows=2, columns=(FlatCfg(), stairs), border=2.0)
    return EnvCfg(**env.model_dump(exclude={"terrain"}), terrain=terrain)


@pytest.fixture(scope="module")
def sim(cfg: EnvCfg, sim_session: Session) -> Engine:
    return make_engine(cfg, N, sim_session)


def _env(cfg: EnvCfg, sim: Engine, *, training: bool = False, max_steps: int | None = None) -> Environment:
    purpose = Purpose(
        1,
        numbered=not training,
        max_steps=max_steps,
        observation_noise=False,
        disturbances=False,
        curriculum=get_task(ROUGH).train.curriculum if training else None,
    )
    env = Environment(cfg, sim, purpose)
    env.reset()
    return env


def _idle(env: Environment, steps: int) -> None:
    for _ in range(steps):
        env.step(torch.zeros(N, 12))


def _put(env: Environment, sim: Engine, offset: tuple[float, float], where: Tensor) -> None:
    """Carry robots so far from the centres of their cells, over whatever is there."""
    origin = env.state().floating.origin_w
    xy = origin[:, :2] + torch.tensor(offset)
    z = env.state().terrain.height_at(xy)[:, None] + 0.35
    upright = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(N, -1)
    sim.write(StateWrite(base_pose_w=torch.cat([xy, z, upright], dim=1)), where)


def test_an_evaluation_starts_each_episode_in_its_cell_and_on_its_ground(cfg: EnvCfg, sim: Engine):
    env = _env(cfg, sim)
    body = env.state().floating
    # Episodes 0..7 on levels 0, 1, 0, 1, ... of columns 0, 0, 1, 1, 0, 0, 1, 1.
    platform = float(body.origin_w[3, 2])
    assert platform == pytest.approx(8 * RISER, abs=1e-6)
    assert body.origin_w[:, 2].tolist() == pytest.approx([0.0, 0.0, 0.0, platform] * 2)
    assert body.origin_w[:, 0].tolist() == pytest.approx([-4.0, 4.0] * 4)
    assert body.origin_w[:, 1].tolist() == pytest.approx([-4.0, -4.0, 4.0, 4.0] * 2)
    assert ((body.pos_w - body.origin_w)[:, :2].abs() <= 0.5 + 1e-6).all()
    assert body.height.tolist() == pytest.approx([0.42] * N, abs=1e-5)
    _idle(env, 100)
    # It sags as it does on a plane, above the ground that carries it.
    assert env.state().floating.height.tolist() == pytest.approx([0.225] * N, abs=0.02)
    assert env.state().feet.contact.all()


def test_it_sees_the_heights_around_it(cfg: EnvCfg, sim: Engine):
    env = _env(cfg, sim)
    _put(env, sim, (0.0, 0.0), EVERYWHERE)
    step = env.step(torch.zeros(N, 12))
    scan = step.observations["critic"][:, -187:].reshape(N, 17, 11)
    height = env.state().floating.height
    # Flat: everything is as deep as the trunk is high, less the offset.
    assert scan[0].flatten().tolist() == pytest.approx([float(height[0]) - 0.3] * 187, abs=1e-4)
    # At the edge of the platform, 1.5 m from the centre: the front looks down two steps.
    _put(env, sim, (1.5, 0.0), EVERYWHERE)
    step = env.step(torch.zeros(N, 12))
    scan = step.observations["policy"][:, -187:].reshape(N, 17, 11)
    assert (scan[3, 16] - scan[3, 0]).tolist() == pytest.approx([3 * RISER] * 11, abs=0.03)


def test_a_training_moves_between_levels_and_a_resumed_one_goes_on(cfg: EnvCfg, sim: Engine):
    env = _env(cfg, sim, training=True, max_steps=40)
    assert env.metrics()["terrain_level"] == 0.0
    _idle(env, 38)
    # Half of them are out of their cells when the episode ends. Nobody was asked to go further than 0.8 s lead.
    _put(env, sim, (4.3, 0.0), torch.arange(N) % 2 == 0)
    saved = {name: value.clone() for name, value in env.state_dict().items()}
    _idle(env, 2)
    level = env.state_dict()["place/level"]
    assert level.tolist() == [1, 0] * (N // 2)
    assert env.metrics()["terrain_level"] == 0.5
    assert env.state().floating.origin_w[::2, 0].tolist() == [4.0] * (N // 2)
    again = _env(cfg, sim, training=True, max_steps=40)
    again.load_state_dict(saved)
    _idle(again, 2)
    assert torch.equal(again.state_dict()["place/level"], level)


def test_off_the_terrain_an_episode_is_cut_short_not_failed(cfg: EnvCfg, sim: Engine):
    env = _env(cfg, sim)
    # Cells end 4 m from their centres, the border 2 m further; the margin is 0.5 m.
    _put(env, sim, (5.3, 0.0), EVERYWHERE)
    assert not env.step(torch.zeros(N, 12)).truncated.any()
    _put(env, sim, (5.7, 0.0), torch.arange(N) % 2 == 1)
    step = env.step(torch.zeros(N, 12))
    # Level 1 lies at the edge along x; level 0 has it in front of it.
    assert step.truncated.tolist() == [False, True] * (N // 2)
    assert not step.terminated.any()


def test_episodes_on_a_terrain_do_not_depend_on_how_many_run_at_once(cfg: EnvCfg, sim: Engine, sim_session: Session):
    """Eight episodes by eight environments, and by three that run two or three each."""
    found: list[tuple[list[float], list[int]]] = []
    for each in (sim, make_engine(cfg, 3, sim_session)):
        env = Environment(cfg, each, Purpose(0, numbered=True, max_steps=30, disturbances=False))
        table = run_episodes(env, _swing(env), 8)
        found.append((table.return_, table.length))
    assert found[0] == found[1]
    assert len(set(found[0][0])) == 8


def _swing(env: Environment) -> Policy:
    """Actions that depend on the episode and its step alone."""

    def act(_observations: Observations) -> Tensor:
        phase = env.episode_number[:, None] + 0.3 * env.episode_step[:, None] + torch.arange(12)
        return 0.5 * torch.sin(phase)

    return act


def test_the_floor_around_is_read_back_too(cfg: EnvCfg, sim: Engine) -> None:
    floor = sim._ground[-1]
    before = float(floor.geoms[0].get_friction())
    floor.geoms[0].set_friction(0.3)
    try:
        with pytest.raises(
            RunError, match=r"^env\.ground\.friction: the simulator holds 0\.3\d*, the config says 1\.0"
        ):
            read_back.materials(sim._scene, sim._robot, sim._ground, cfg)
    finally:
        floor.geoms[0].set_friction(before)
    read_back.materials(sim._scene, sim._robot, sim._ground, cfg)


def test_a_policy_that_learnt_on_flat_ground_acts_the_same_on_uneven_ground_at_first(cfg: EnvCfg, sim: Engine) -> None:
    rough = get_task("Genelab-Velocity-Rough-Unitree-Go1-v0", "cpu")
    climb, flat = rough.stage("terrain"), rough.stage("smooth")
    task = climb.model_copy(update={"env": cfg})
    env = _env(cfg, sim, training=True)
    backend = backend_of(task.agent)
    torch.manual_seed(0)
    trainer = backend.make_trainer(task, "0" * 64, env)
    layout = {group: [row for row in rows if row["name"] != "height_scan"] for group, rows in env.layout().items()}
    assert isinstance(flat.agent, PpoCfg)
    actor, critic = build_actor(flat.agent, layout, 12), build_critic(flat.agent, layout)
    parent = Checkpoint("0" * 64, 5, layout, dict(actor.state_dict()), dict(critic.state_dict()))
    backend.warm_start(trainer, parent, task, "parent")
    checkpoint = trainer.checkpoint()  # type: ignore[attr-defined]
    seeing = backend.load_actor(checkpoint, task.agent, 12, "wide")
    observed = torch.randn(N, 45 + 187)
    expected = actor.eval()(TensorDict({"policy": observed[:, :45]}, batch_size=[N]))
    found = seeing(TensorDict({"policy": observed}, batch_size=[N]))
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-5)
    with pytest.raises(InputError, match="laid out otherwise than the task's"):
        backend.warm_start(trainer, parent, rough, "parent")
