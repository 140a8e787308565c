"""A browser for the tests of pages."""

import os
import shutil
from typing import Any

import pytest


def launch(started: Any) -> Any:
    """The browser of a started playwright, or one that is installed; skips without one."""
    path = os.environ.get("GENELAB_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "google-chrome"))), None
    )
    try:
        return started.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        )
    except Exception as error:  # noqa: BLE001 playwright's own, which has no public name for this
        pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
