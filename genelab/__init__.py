"""genelab: train, evaluate and publish robot-learning results that anyone can check.

`genelab.tasks`, `make`, `load`, `evaluate` and `train` are those of `genelab.library`, which is imported at the first
use of one. `import genelab.gym` for environments as gymnasium knows them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genelab.library import evaluate, load, make, tasks, train

__version__ = "0.2.0"
__all__ = ["__version__", "evaluate", "load", "make", "tasks", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("genelab.library"), name)
    raise AttributeError(f"module 'genelab' has no attribute {name!r}")
