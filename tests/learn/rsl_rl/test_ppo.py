import math
from typing import Any

import pytest
import torch
from rsl_rl.algorithms import PPO
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import Tensor

from genelab.config.agent import PpoCfg
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.guard import FaultError
from genelab.learn.rsl_rl import backend
from genelab.learn.rsl_rl.networks import build_actor, build_critic
from genelab.learn.rsl_rl.ppo import GuardedPPO
from genelab.learn.rsl_rl.trainer import PpoTrainer
from genelab.mdp.mirror import Mirror
from tests.learn.conftest import layout_of_width
from tests.learn.sb3.point_mass import PlainPointMass

NUM_ENVS, STEPS = 64, 24
LAYOUT = layout_of_width(8)


def _observations() -> TensorDict:
    return TensorDict({"policy": torch.randn(NUM_ENVS, 8), "critic": torch.randn(NUM_ENVS, 8)}, batch_size=[NUM_ENVS])


def _with_rollout(cls: type[PPO], cfg: PpoCfg, schedule: str, **options: object) -> PPO:
    """An algorithm with one rollout collected, the same for every class."""
    torch.manual_seed(0)
    observations = _observations()
    storage = RolloutStorage("rl", NUM_ENVS, STEPS, observations, [1], "cpu")
    algorithm = cls(
        *(build_actor(cfg, LAYOUT, 1), build_critic(cfg, LAYOUT), storage),
        entropy_coef=0.005,
        schedule=schedule,
        **options,  # type: ignore[arg-type]
    )
    with torch.inference_mode():
        for _ in range(STEPS):
            actions = algorithm.act(observations)
            reward = -(actions[:, 0] - observations["policy"][:, 0]).square()
            observations = _observations()
            done = (torch.rand(NUM_ENVS) < 0.05).float()
            algorithm.process_env_step(observations, reward, done, {"time_outs": done * (torch.rand(NUM_ENVS) < 0.5)})
        algorithm.compute_returns(observations)
    return algorithm


@pytest.mark.parametrize("schedule", ["adaptive", "fixed"])
def test_update_equals_that_of_rsl_rl(ppo_cfg: PpoCfg, schedule: str):
    theirs = _with_rollout(PPO, ppo_cfg, schedule)
    ours = _with_rollout(GuardedPPO, ppo_cfg, schedule)
    before = {name: tensor.clone() for name, tensor in ours.actor.state_dict().items()}
    torch.manual_seed(5)
    their_losses = theirs.update()
    torch.manual_seed(5)
    our_losses = ours.update()

    assert our_losses == their_losses
    assert ours.learning_rate == theirs.learning_rate
    if schedule == "adaptive":
        assert ours.learning_rate != 1e-3
    for mine, other in ((ours.actor, theirs.actor), (ours.critic, theirs.critic)):
        for name, tensor in other.state_dict().items():
            assert torch.equal(mine.state_dict()[name], tensor)
    moved = (ours.actor.state_dict()["mlp.0.weight"] - before["mlp.0.weight"]).abs().max()
    assert moved > 1e-3


def test_a_loss_that_overflows_behind_finite_gradients_is_named(ppo_cfg: PpoCfg):
    """The norm of the gradient overflows too, and clipping by it leaves gradients of 0."""
    algorithm = _with_rollout(GuardedPPO, ppo_cfg, "fixed")
    algorithm.storage.returns[:] = 1e25
    with pytest.raises(FaultError) as caught:
        algorithm.update()
    assert (caught.value.fault.tensor, caught.value.fault.value) == ("loss/value", math.inf)


SWAPPED = Mirror(torch.tensor([1, 0, 2, 3, 5, 4, 6, 7]), torch.tensor([1.0, 1, -1, 1, 1, 1, 1, -1]))
NEGATED = Mirror(torch.tensor([0]), torch.tensor([-1.0]))


def _augment(env: object, obs: TensorDict | None, actions: Tensor | None) -> tuple[TensorDict | None, Tensor | None]:
    """The images as rsl_rl wants them: behind the originals."""
    if obs is not None:
        images = {name: torch.cat([obs[name], SWAPPED(obs[name])]) for name in ("policy", "critic")}
        obs = TensorDict(images, batch_size=[2 * obs.batch_size[0]])
    return obs, None if actions is None else torch.cat([actions, NEGATED(actions)])


def test_an_update_with_mirror_images_equals_that_of_rsl_rl(ppo_cfg: PpoCfg):
    symmetry = {"env": None, "data_augmentation_func": _augment, "use_data_augmentation": True}
    theirs = _with_rollout(PPO, ppo_cfg, "adaptive", symmetry_cfg=symmetry)
    mirrors = {"policy": SWAPPED, "critic": SWAPPED, "action": NEGATED}
    ours = _with_rollout(GuardedPPO, ppo_cfg, "adaptive", mirrors=mirrors)
    plain = _with_rollout(GuardedPPO, ppo_cfg, "adaptive")
    losses = []
    for algorithm in (theirs, ours, plain):
        torch.manual_seed(5)
        losses.append(algorithm.update())
    for name in ("value", "surrogate", "entropy"):
        assert losses[1][name] == losses[0][name]
    assert ours.learning_rate == theirs.learning_rate
    for mine, other in ((ours.actor, theirs.actor), (ours.critic, theirs.critic)):
        for name, tensor in other.state_dict().items():
            assert torch.equal(mine.state_dict()[name], tensor)
    # It is not the update without them.
    apart = (ours.actor.state_dict()["mlp.0.weight"] - plain.actor.state_dict()["mlp.0.weight"]).abs().max()
    assert apart > 1e-4


def test_an_action_noise_by_state_is_learnt_within_its_bounds(ppo_cfg: PpoCfg) -> None:
    cfg = ppo_cfg.model_copy(update={"std_by_state": (0.3, 2.0)})
    algorithm = _with_rollout(GuardedPPO, cfg, "adaptive")
    # At first it is the initial one in every state.
    first = algorithm.storage.distribution_params[1]  # type: ignore[index]
    assert first.shape == (STEPS, NUM_ENVS, 1)
    assert torch.allclose(first, torch.full_like(first, cfg.init_std))
    algorithm.update()
    observations = _observations()
    algorithm.act(observations)
    std = algorithm.actor.output_std
    assert len(std.unique()) > 1
    assert 0.3 <= float(std.min()) < float(std.max()) <= 2.0
    # On its bounds in every state it is no fault: others may still move it.
    with torch.no_grad():
        algorithm.actor.mlp[-2].bias[1:] = -9.0  # type: ignore[index]
    algorithm.act(observations)
    assert torch.allclose(algorithm.actor.output_std, torch.full_like(std, 0.3))
    algorithm._after_step()


def test_a_policy_with_a_noise_by_state_is_reloaded_and_deployed_by_its_mean(ppo_cfg: PpoCfg) -> None:
    cfg = ppo_cfg.model_copy(update={"std_by_state": (0.3, 2.0)})
    algorithm = _with_rollout(GuardedPPO, cfg, "adaptive")
    algorithm.update()
    actor, critic = algorithm.actor.eval(), algorithm.critic
    checkpoint = Checkpoint("0" * 64, 1, LAYOUT, actor.state_dict(), critic.state_dict())
    assert backend.action_std(checkpoint) is None
    observations = _observations()
    mean = actor(observations)
    assert torch.equal(backend.load_actor(checkpoint, cfg, 1, "it")(observations), mean)
    assert torch.equal(backend.deployable(actor)(observations["policy"]), mean)


class _TwoGroups(PlainPointMass):
    def layout(self) -> dict[str, Any]:
        return {name: super(_TwoGroups, self).layout()["policy"] for name in ("policy", "critic")}

    def _observe(self) -> dict[str, Tensor]:
        return dict.fromkeys(("policy", "critic"), super()._observe()["policy"])


def test_only_the_learner_sees_scaled_rewards(ppo_cfg: PpoCfg):
    """In an environment that is no scene."""
    rows, stored, weights = [], [], []
    for scale in (1.0, 0.01):
        torch.manual_seed(3)
        cfg = ppo_cfg.model_copy(update={"reward_scale": scale, "num_steps_per_env": 19})
        trainer = PpoTrainer(cfg, "a" * 64, _TwoGroups(wall=2.0))
        rows.append(trainer.iterate())
        stored.append(trainer.algorithm.storage.rewards.clone())
        weights.append(trainer.actor().state_dict()["mlp.0.weight"])
    for name in ("step_reward", "reward/sparse"):
        assert rows[0][name] == rows[1][name] != 0.0
    # The episodes of the point mass have 20 steps.
    torch.testing.assert_close(stored[1], 0.01 * stored[0])
    assert not torch.equal(*weights)
