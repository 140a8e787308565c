import math
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from genelab.config.agent import PpoCfg
from genelab.export import onnx, torchscript
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.guard import UpdateGuard
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.rsl_rl import backend
from genelab.learn.rsl_rl.ppo import GuardedPPO
from genelab.learn.rsl_rl.squashed import MARGIN, TanhNormal
from tests.learn.rsl_rl.test_ppo import LAYOUT, _observations, _with_rollout

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def _outputs(rows: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Means and logarithms of standard deviations. Shape: (rows, 2, 3)."""
    torch.manual_seed(0)
    return torch.stack([2.0 * torch.randn(rows, 3), -1.0 + 0.5 * torch.randn(rows, 3)], 1).to(dtype)


def _distribution(outputs: torch.Tensor) -> TanhNormal:
    made = TanhNormal(outputs.shape[-1], std_range=(0.02, 3.0), std_type="log")
    made.update(outputs)
    return made


def test_log_density_and_its_gradient_are_those_of_a_transformed_normal():
    outputs = _outputs(50).requires_grad_()
    made = _distribution(outputs)
    actions = made.sample()
    reference = TransformedDistribution(Normal(outputs[:, 0], outputs[:, 1].exp()), [TanhTransform()])
    own, other = made.log_prob(actions), reference.log_prob(actions).sum(-1)
    torch.testing.assert_close(own, other)
    gradients = [torch.autograd.grad(value.sum(), outputs)[0] for value in (own, other)]
    torch.testing.assert_close(*gradients)

    def density(rows: torch.Tensor) -> torch.Tensor:
        return _distribution(rows).log_prob(actions.detach())

    assert torch.autograd.gradcheck(density, outputs[:])
    assert torch.autograd.gradcheck(lambda rows: _distribution(rows).entropy, outputs[:])


def test_the_density_integrates_to_one():
    made = _distribution(torch.tensor([[[0.4], [-0.5]]], dtype=torch.float64))
    actions = torch.linspace(-1.0 + 1e-7, 1.0 - 1e-7, 400_001, dtype=torch.float64)[:, None]
    assert float(torch.trapezoid(made.log_prob(actions).exp(), actions[:, 0])) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("log_std", [math.log(0.05), -1.0, 0.0, math.log(2.0)])
def test_the_entropy_is_the_mean_of_the_negative_log_density(log_std: float):
    outputs = torch.tensor([[[0.0, 1.5], [log_std, log_std]]], dtype=torch.float64)
    made = _distribution(outputs.expand(400_000, -1, -1))
    expected = -made.log_prob(torch.tanh(super(TanhNormal, made).sample())).mean()
    assert float(_distribution(outputs).entropy[0]) == pytest.approx(float(expected), abs=0.02)


def test_draws_stay_within_the_margin_and_have_a_density_however_far_the_mean():
    outputs = torch.tensor([[[80.0, -80.0], [0.0, 0.0]]]).expand(100, -1, -1).clone().requires_grad_()
    made = _distribution(outputs)
    actions = made.sample()
    assert float(actions.abs().max()) <= 1.0 - MARGIN / 2
    log_prob = made.log_prob(actions)
    (gradient,) = torch.autograd.grad(log_prob.sum() + made.entropy.sum(), outputs)
    assert log_prob.isfinite().all()
    assert gradient.isfinite().all()
    torch.testing.assert_close(made.deterministic_output(outputs)[0], torch.tensor([1.0, -1.0]))


def test_the_divergence_of_two_is_that_of_their_normals():
    one, other = _outputs(20), _outputs(20) + 0.1
    made = _distribution(one)
    params = [_distribution(rows).params for rows in (one, other)]
    expected = torch.distributions.kl_divergence(*(Normal(*each) for each in params)).sum(-1)
    torch.testing.assert_close(made.kl_divergence(*params), expected)


@pytest.mark.slow
def test_a_squashed_policy_is_learnt_reloaded_and_exported_by_tanh_of_its_mean(ppo_cfg: PpoCfg, tmp_path: Path):
    cfg = PpoCfg.model_validate({**ppo_cfg.model_dump(), "squashed": True, "std_by_state": (0.05, 1.0)})
    algorithm = _with_rollout(GuardedPPO, cfg, "adaptive")
    assert algorithm.storage.actions.abs().max() < 1.0
    before = algorithm.actor.state_dict()["mlp.0.weight"].clone()
    algorithm.update()
    assert not torch.equal(algorithm.actor.state_dict()["mlp.0.weight"], before)
    actor = algorithm.actor.eval()
    checkpoint = Checkpoint("0" * 64, 1, LAYOUT, actor.state_dict(), algorithm.critic.state_dict())
    rows = _observations()["policy"]
    loaded = backend.load_actor(checkpoint, cfg, 1, "it")
    expected = DeterministicPolicy(actor, torch.device("cpu"), ("policy",))({"policy": rows})
    assert torch.equal(DeterministicPolicy(loaded, torch.device("cpu"), ("policy",))({"policy": rows}), expected)
    with torch.no_grad():
        mean = torch.tanh(actor.mlp(actor.obs_normalizer(rows))[..., 0, :])
    torch.testing.assert_close(expected, mean)
    (tmp_path / "p.onnx").write_bytes(onnx.serialise(backend.deployable(loaded), {"obs": 8}))
    (tmp_path / "p.pt").write_bytes(torchscript.serialise(backend.deployable(loaded)))
    for run in (onnx.load(tmp_path / "p.onnx"), torchscript.load(tmp_path / "p.pt")):
        torch.testing.assert_close(run(rows), expected, rtol=1e-5, atol=1e-5)
    # The mirror image of a squashed action is one, too, and a policy without tanh is another policy.
    plain = backend.load_actor(checkpoint, cfg.model_copy(update={"squashed": False}), 1, "it")
    torch.testing.assert_close(torch.tanh(plain(_as_group(rows))), loaded(_as_group(rows)))


def _as_group(rows: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"policy": rows}


def test_squashing_needs_a_noise_by_state(ppo_cfg: PpoCfg):
    with pytest.raises(ValidationError, match="std_by_state = None: must be given, because squashed is true"):
        PpoCfg.model_validate({**ppo_cfg.model_dump(), "squashed": True})


def test_the_guard_knows_no_bound_of_a_noise_by_state(ppo_cfg: PpoCfg):
    cfg = PpoCfg.model_validate({**ppo_cfg.model_dump(), "squashed": True, "std_by_state": (0.05, 1.0)})
    algorithm = _with_rollout(GuardedPPO, cfg, "fixed")
    algorithm._guard = UpdateGuard()
    algorithm._after_step()


def test_value_clipping_can_be_switched_off(ppo_cfg: PpoCfg):
    """And then makes another update."""
    weights = []
    for clipped in (True, False):
        algorithm = _with_rollout(GuardedPPO, ppo_cfg, "fixed", use_clipped_value_loss=clipped)
        torch.manual_seed(5)
        algorithm.update()
        weights.append(algorithm.critic.state_dict()["mlp.0.weight"])
    assert not torch.equal(*weights)
