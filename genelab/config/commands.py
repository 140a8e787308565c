"""What commands are asked beside the task and its execution: the one place of their defaults."""

from pathlib import Path
from typing import Literal

from genelab.config.base import Cfg

ConfigSource = Literal["run", "registry"]


class EvalCfg(Cfg):
    """One evaluation of a checkpoint by hand."""

    config: ConfigSource = "run"
    """Evaluate the run's own snapshot, or the task as registered now."""


class StoreCfg(Cfg):
    """Where published entries are, and what is rendered from them."""

    store: Path = Path("reference")
    """Root of the reference store."""
    docs: Path = Path("docs")
    """Folder of the rendered page."""
