"""ONNX: one file with a dynamic batch, for onnxruntime and other runtimes."""

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import onnxruntime
import torch
from onnx import ModelProto
from rsl_rl.models import MLPModel
from torch import Tensor

from genelab.export.parity import Runner

INPUT, OUTPUT = "obs", "actions"
OPSET = 18
"""Operator set: the oldest that the exporter writes without a conversion, for the sake of older runtimes."""


def serialise(actor: MLPModel) -> bytes:
    """The deterministic policy with its normaliser. Shapes: (batch, obs_dim) -> (batch, num_actions)."""
    # Two rows: a batch of one would be taken for a constant.
    example = torch.zeros(2, actor.obs_dim)
    with _quiet():
        program = torch.onnx.export(
            actor.as_onnx(verbose=False).eval(),
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
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

    def run(rows: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: rows.numpy()})[0])

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
            yield
    finally:
        logger.setLevel(level)
