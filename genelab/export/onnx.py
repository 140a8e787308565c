"""ONNX: one file with a dynamic batch, for onnxruntime and other runtimes."""

import logging
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnxruntime
import torch
from onnx import ModelProto
from torch import Tensor, nn

from genelab.export.parity import Runner
from genelab.records.contract import OUTPUT

OPSET = 18
"""Operator set: the oldest that the exporter writes without a conversion, for the sake of older runtimes."""


def serialise(policy: nn.Module, inputs: Mapping[str, int]) -> bytes:
    """A module in evaluation mode. Shapes: (batch, dim) of each input -> (batch, num_actions).

    Args:
        policy: takes the inputs in their order.
        inputs: the width of each by its name in the file.
    """
    # Two rows: a batch of one would be taken for a constant.
    examples = tuple(torch.zeros(2, width) for width in inputs.values())
    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.onnx.export(
            policy,
            examples,
            input_names=[*inputs],
            output_names=[OUTPUT],
            dynamic_shapes=tuple({0: batch} for _ in examples),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_sources(model)
    return model.SerializeToString(deterministic=True)


def load(path: Path) -> Runner:
    """The policy of a file, in onnxruntime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    names = [given.name for given in session.get_inputs()]

    def run(*inputs: Tensor) -> Tensor:
        feed = {name: rows.numpy() for name, rows in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run([OUTPUT], feed)[0])

    return run


def _forget_sources(model: ModelProto) -> None:
    """Remove the exporter's notes: stack traces that name source files of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


@contextmanager
def _quiet() -> Generator[None]:
    """Silence what the exporter says about torchvision, which it does not need, and about its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            # Several inputs have the axis in common, as they should.
            warnings.filterwarnings("ignore", "# The axis name: batch will not be used", UserWarning)
            yield
    finally:
        logger.setLevel(level)
