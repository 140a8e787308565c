"""TorchScript: one file for libtorch and `torch.jit.load`."""

import io
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from genelab.export.parity import Runner

LEFT_OUT = (".debug_pkl", ".data/serialization_id")
"""Members that name source files of this machine, and the digest over them. Loading needs neither."""


def serialise(policy: nn.Module) -> bytes:
    """A module in evaluation mode, its weights as constants. Shapes: (batch, dim) each -> (batch, num_actions)."""
    module = torch.jit.freeze(torch.jit.script(policy))
    saved, stripped = io.BytesIO(), io.BytesIO()
    torch.jit.save(module, saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(stripped, "w") as target:
        for member in source.infolist():
            if not member.filename.endswith(LEFT_OUT):
                target.writestr(zipfile.ZipInfo(member.filename), source.read(member))
    return stripped.getvalue()


def load(path: Path) -> Runner:
    """The policy of a file, on the CPU."""
    module = torch.jit.load(str(path), map_location="cpu")

    def run(*inputs: Tensor) -> Tensor:
        with torch.inference_mode():
            return module(*inputs)

    return run
