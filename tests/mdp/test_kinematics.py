import numpy as np
import torch

from genelab.mdp.kinematics import damped_least_squares


def _problem(rows: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Jacobians (m and rad per rad) and displacements (m and rad) of the size that an arm has."""
    generator = torch.Generator().manual_seed(0)
    jacobian = torch.randn(rows, 6, 7, generator=generator) * torch.tensor([0.5] * 3 + [1.0] * 3)[:, None]
    return jacobian, 0.05 * torch.randn(rows, 6, generator=generator)


def test_solves_what_numpy_solves() -> None:
    jacobian, displacement = _problem()
    found = damped_least_squares(jacobian, displacement, 0.05).numpy()
    for j, dx, dq in zip(jacobian.numpy().astype(np.float64), displacement.numpy(), found, strict=True):
        # The minimum of |J dq - dx|^2 + damping^2 |dq|^2, by another road: least squares over stacked rows.
        stacked, wanted = np.vstack([j, 0.05 * np.eye(7)]), np.concatenate([dx, np.zeros(7)])
        np.testing.assert_allclose(dq, np.linalg.lstsq(stacked, wanted, rcond=None)[0], rtol=1e-3, atol=1e-5)


def test_with_little_damping_it_is_the_pseudoinverse_and_reaches_the_displacement() -> None:
    jacobian, displacement = (tensor.to(torch.float64).to(torch.float32) for tensor in _problem())
    keep = torch.linalg.svdvals(jacobian)[:, -1] > 0.1
    jacobian, displacement = jacobian[keep], displacement[keep]
    assert len(jacobian) > 40
    found = damped_least_squares(jacobian, displacement, 1e-4)
    exact = (torch.linalg.pinv(jacobian.double()) @ displacement.double()[:, :, None])[:, :, 0]
    torch.testing.assert_close(found.double(), exact, rtol=1e-2, atol=1e-4)
    moved = (jacobian @ found[:, :, None])[:, :, 0]
    torch.testing.assert_close(moved, displacement, rtol=0.0, atol=1e-4)


def test_damping_bounds_the_step_where_the_arm_is_singular() -> None:
    jacobian = torch.zeros(1, 6, 7)
    jacobian[0, 0, 0] = 1e-6
    displacement = torch.tensor([[0.05, 0.05, 0.0, 0.0, 0.0, 0.0]])
    step = damped_least_squares(jacobian, displacement, 0.05)
    assert torch.isfinite(step).all()
    # |dq| <= |dx| / (2 damping), whatever the Jacobian.
    assert float(step.norm()) <= float(displacement.norm()) / 0.1
    assert float(step[0, 0]) == torch.tensor(1e-6 * 0.05 / 0.05**2).item()


def test_a_step_depends_on_no_other_environment_whatever_the_order_in_memory() -> None:
    # As the simulator hands them out: the environments are not the outermost dimension. torch's sum then takes the last
    # of 16 environments in another order than the same ones among 64, and a policy and its reloaded self came apart.
    jacobian, displacement = _problem(64)

    def steps(rows: int) -> torch.Tensor:
        permuted = jacobian[:rows].permute(1, 0, 2).contiguous().permute(1, 0, 2)
        return damped_least_squares(permuted, displacement[:rows], 0.05)

    for rows in (1, 7, 16, 24):
        assert torch.equal(steps(rows), steps(64)[:rows])
