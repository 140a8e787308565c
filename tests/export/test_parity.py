"""A file that does not act as the policy is not kept."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from genelab.errors import RunError
from genelab.export.export import FORMATS, write_checked
from genelab.export.parity import measure
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.rsl_rl.backend import deployable, load_actor
from genelab.records.export import ExportFormat, ExportRecord, Parity
from genelab.runs.run_dir import RunDir

from .conftest import make_checkpoint

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.slow]


def never(written: Path, parity: Parity) -> ExportRecord:
    raise AssertionError("a contract was asked for")


@pytest.mark.parametrize("file_format", ["torchscript", "onnx"])
@pytest.mark.parametrize("existing", [None, b"an earlier export"])
def test_a_file_with_other_weights_fails_and_leaves_nothing(
    file_format: ExportFormat, existing: bytes | None, run_dir: RunDir, observations: torch.Tensor, tmp_path: Path
):
    task, backend = run_dir.task(), FORMATS[file_format]
    right = make_checkpoint(task, observations)
    weights = right.actor["mlp.4.bias"] + 3e-5
    tampered = Checkpoint(right.config_sha256, 150, right.layout, {**right.actor, "mlp.4.bias": weights}, right.critic)
    data = backend.serialise(deployable(load_actor(tampered, task.agent, 1, "x")), {"obs": 8})
    policy = DeterministicPolicy(load_actor(right, task.agent, 1, "x"), torch.device("cpu"), ("policy",))
    out = tmp_path / "out" / "policy"
    out.parent.mkdir()
    if existing:
        out.write_bytes(existing)
    with pytest.raises(RunError, match=r"actions of 'policy' differ by up to \S+e-05 from .*; allowed: 1e-05"):
        write_checked(out, data, backend.load, lambda rows: policy({"policy": rows}), (observations,), never)
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == ({"policy": existing} if existing else {})


def linear(*row: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda rows: rows @ torch.tensor([row]).T


def test_the_tolerance_grows_with_the_largest_recorded_action():
    rows = torch.eye(2)
    small = measure(linear(0.5, 0.0), linear(0.5, 0.0), (rows,))
    assert (small.tolerance, small.max_abs_difference, small.passed) == (1e-5, 0.0, True)
    large = measure(linear(100.0, 0.0), linear(100.0, 0.0), (rows,))
    assert (large.tolerance, large.largest_action) == (1e-5 * 100.0, 100.0)
    assert (large.recorded_rows, large.random_rows, large.batch_sizes) == (2, 64, (1, 7, 66))


def test_a_difference_on_random_rows_alone_fails():
    # The third column never moved in the recording; the random rows move the second, where the two policies differ.
    rows = torch.tensor([[1.0, 0.5], [0.0, 0.5]])
    assert measure(linear(1.0, 0.0), linear(1.0, 1.0), (rows,)).passed is False
    clipped = measure(linear(1.0, 0.0), lambda r: r[:, :1].clamp(0.0, 1.0), (rows,))
    assert clipped.passed is False
    assert clipped.max_abs_difference > 0.1


def test_a_policy_that_depends_on_the_batch_fails():
    rows = torch.eye(2)
    assert measure(linear(1.0, 2.0), lambda r: linear(1.0, 2.0)(r) + 0.01 * (len(r) == 7), (rows,)).passed is False


def test_other_shapes_are_not_broadcast():
    with pytest.raises(RunError, match=r"actions of shape \(66, 2\), the policy gives \(66, 1\)"):
        measure(linear(1.0, 1.0), lambda rows: linear(1.0, 1.0)(rows).expand(-1, 2), (torch.eye(2),))
