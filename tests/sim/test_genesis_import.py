"""The quicker `import genesis`: kernels are told apart as ever."""

import importlib.util
import inspect
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest

from genelab.sim.genesis.runtime import quick_decorators

KERNELS = """
import quadrants as qd

@qd.kernel
def alone():
    pass

@qd.data_oriented
class Owner:
    @qd.kernel
    def owned(self):
        pass
"""


def _loaded(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("quick", [False, True])
def test_a_kernel_in_a_class_is_told_from_one_of_a_module(quick: bool, tmp_path: Path) -> None:
    path = tmp_path / "kernels.py"
    path.write_text(KERNELS)
    with quick_decorators() if quick else nullcontext():
        module = _loaded(path, f"kernels_{quick}")
    assert not module.alone._is_classkernel
    assert module.Owner.owned._is_classkernel


def test_getmodule_is_put_back_after_an_error() -> None:
    before = inspect.getmodule
    with pytest.raises(ZeroDivisionError), quick_decorators():
        _ = 1 / (inspect.getmodule is before)
    assert inspect.getmodule is before


def test_only_frames_without_a_file_are_answered_at_once() -> None:
    frame = sys._getframe()
    with quick_decorators():
        assert inspect.getmodule(frame, "<frozen importlib._bootstrap>") is None
        assert inspect.getmodule(frame, __file__) is inspect.getmodule(frame)
        assert inspect.getmodule(frame) is not None
