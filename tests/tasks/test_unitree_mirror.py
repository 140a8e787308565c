"""Mirror images of the quadrupeds, held against the simulator."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from genelab.config.overrides import apply_overrides
from genelab.envs.environment import Environment
from genelab.envs.purpose import Purpose
from genelab.errors import InputError
from genelab.mdp.mirror import Mirror, group_images
from genelab.mdp.state import StateWrite
from genelab.mdp.term import action_images, joint_images
from genelab.registry import get_task
from genelab.sim.make import make_engine
from genelab.sim.session import Session
from tests.tasks.test_unitree_environment import EVERYWHERE, GO1, GO2W, Build, N, make_env

pytestmark = [pytest.mark.sim, pytest.mark.xdist_group("sim")]


@pytest.mark.parametrize(("task_id", "height"), [(GO1, 0.27), (GO2W, 0.35)])
def test_a_mirrored_state_moves_to_the_mirrored_next_state(build: Build, task_id: str, height: float) -> None:
    """The map follows from names; here it is held against the physics, of wheels too."""
    task = get_task(task_id)
    sim = build(task_id, N)
    width = len(task.env.robot.joints)
    columns = joint_images(task.env.robot, list(task.env.robot.joints))
    joints, action = (Mirror.of(c, torch.device("cpu")) for c in (columns, action_images(task.env)))
    generator = torch.Generator().manual_seed(3)
    half = N // 2

    def pairs(rows: Tensor, mirror: Callable[[Tensor], Tensor]) -> Tensor:
        """Rows for the first environments, and their images for the others."""
        return torch.cat([rows, mirror(rows)])

    def flipped(signs: list[float]) -> Callable[[Tensor], Tensor]:
        return lambda rows: rows * torch.tensor(signs)

    position = torch.tensor([[0.0, 0.0, height]]).repeat(half, 1)
    tilt = 0.1 * torch.randn(half, 3, generator=generator)
    quat = torch.nn.functional.normalize(torch.cat([torch.ones(half, 1), tilt], dim=1), dim=1)
    # A rotation's vector is axial.
    pose = torch.cat([pairs(position, flipped([1, -1, 1])), pairs(quat, flipped([1, -1, 1, -1]))], dim=1)
    speed = 0.3 * torch.randn(half, 6, generator=generator)
    sim.properties.restore()
    sim.reset(EVERYWHERE)
    sim.write(StateWrite(base_pose_w=pose), EVERYWHERE)
    offset = 0.1 * torch.randn(half, width, generator=generator)
    sim.write(StateWrite(joint_pos=sim.default_joint_pos + pairs(offset, joints)), EVERYWHERE)
    sim.write(StateWrite(joint_vel=pairs(torch.randn(half, width, generator=generator), joints)), EVERYWHERE)
    sim.write(StateWrite(base_vel_w=pairs(speed, flipped([1, -1, 1, -1, 1, -1]))), EVERYWHERE)
    target = 0.25 * torch.randn(half, width, generator=generator)
    sim.set_targets(sim.default_targets + pairs(target, action))
    for _ in range(40):
        sim.step()
    found, image = sim.joint_pos()[:half] - sim.default_joint_pos, sim.joint_pos()[half:] - sim.default_joint_pos
    # Something happened, and it happened mirrored. Contacts are solved in another order on the other side.
    assert (found - offset).abs().max() > 0.05
    assert torch.allclose(joints(found), image, atol=5e-3)
    base, turned = sim.link_pos_w()[:half, 0], sim.link_pos_w()[half:, 0]
    assert torch.allclose(base * torch.tensor([1.0, -1.0, 1.0]), turned, atol=5e-3)


@pytest.mark.parametrize(("task_id", "height"), [(GO1, 0.27), (GO2W, 0.35)])
def test_the_image_of_an_observation_is_the_observation_of_the_image(build: Build, task_id: str, height: float) -> None:
    task = get_task(task_id)
    sim, half = build(task_id, N), N // 2
    generator = torch.Generator().manual_seed(5)
    image = {
        "joint": Mirror.of(joint_images(task.env.robot, list(task.env.robot.joints)), torch.device("cpu")),
        "action": Mirror.of(action_images(task.env), torch.device("cpu")),
        "vector": lambda rows: rows * torch.tensor([1.0, -1.0, 1.0]),
        "axial": lambda rows: rows * torch.tensor([-1.0, 1.0, -1.0]),
    }

    def pairs(kind: str, columns: int, size: float) -> Tensor:
        rows = size * torch.randn(half, columns, generator=generator)
        return torch.cat([rows, image[kind](rows)])

    width = len(task.env.robot.joints)
    command = torch.cat([rows := torch.randn(half, 3, generator=generator), rows * torch.tensor([1.0, -1.0, -1.0])])
    purpose = Purpose(1, numbered=True, observation_noise=False, disturbances=False, commands={"velocity": command})
    env = Environment(task.env, sim, purpose)
    env.reset()
    place = torch.tensor([[0.0, 0.0, height]]).repeat(N, 1)
    quat = torch.nn.functional.normalize(torch.cat([torch.ones(N, 1), pairs("axial", 3, 0.1)], dim=1), dim=1)
    sim.write(StateWrite(base_pose_w=torch.cat([place, quat], dim=1)), EVERYWHERE)
    sim.write(StateWrite(joint_pos=sim.default_joint_pos + pairs("joint", width, 0.1)), EVERYWHERE)
    sim.write(StateWrite(joint_vel=pairs("joint", width, 1.0)), EVERYWHERE)
    sim.write(StateWrite(base_vel_w=torch.cat([pairs("vector", 3, 0.3), pairs("axial", 3, 0.3)], dim=1)), EVERYWHERE)
    observed = env.step(pairs("action", env.num_actions, 0.3)).observations
    for name, group in task.env.observations.items():
        images = group_images(task.env, name)
        frame = images[: len(images) // group.history]
        latest = observed[name][:, -len(frame) :]
        mirrored = Mirror.of(frame, torch.device("cpu"))(latest[:half])
        assert latest[:half].abs().mean() > 0.1
        # Contacts are solved in another order on the other side, which velocities of joints feel most.
        error = (mirrored - latest[half:]).abs()
        assert error.mean() < 0.02
        # One column with the wrong sign or place would be off by about twice its size in every pair.
        assert (error.mean(dim=0) < 0.1 + 0.3 * latest.abs().mean(dim=0)).all()


def test_frames_are_stacked_and_the_mirror_fits_them(build: Build) -> None:
    env = make_env(build, GO2W, observation_noise=False, disturbances=False)
    cfg = get_task(GO2W).env
    action = 0.1 * torch.randn(N, 16, generator=torch.Generator().manual_seed(0))
    first = env.reset()["policy"].reshape(N, 5, 57)
    assert (first == first[:, :1]).all()
    second = env.step(action).observations["policy"].reshape(N, 5, 57)
    assert torch.equal(second[:, :4], first[:, 1:])
    assert torch.equal(second[:, 4, 38:54], action)
    layout = env.layout()["policy"]
    assert [row["age"] for row in layout[:: len(cfg.observations["policy"].terms)]] == [4, 3, 2, 1, 0]
    assert layout[-1]["stop"] == len(group_images(cfg, "policy")) == 285


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("flip=[]", "the coordinate of 'FR_hip_joint' cannot keep its sign"),
        ('swap=[["FL","RR"],["FR","RL"]]', "joint 'RL_hip_joint' is no mirror image of 'FR_hip_joint'"),
    ],
)
def test_a_mirror_that_is_not_that_of_the_model_is_an_error(sim_session: Session, change: str, told: str) -> None:
    task, _ = apply_overrides(get_task(GO1), [f"env.robot.mirror.{change}"])
    with pytest.raises(InputError, match=told):
        make_engine(task.env, N, sim_session)
