import subprocess
import sys

import pytest

LIGHT = [
    "campaign",
    "cli",
    "compare",
    "config",
    "functions",
    "publish",
    "records",
    "registry",
    "report",
    "runs",
    "sweep",
]

# import-linter also sees the imports inside functions, which are allowed; so each package is really imported.
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}."):
    importlib.import_module(module.name)
    loaded = {"torch", "genesis"} & set(sys.modules)
    assert not loaded, f"{module.name} imports {loaded}"
"""


@pytest.mark.parametrize("package", LIGHT)
def test_light_packages_import_neither_torch_nor_genesis(package: str) -> None:
    command = [sys.executable, "-c", IMPORT_ALL, f"genelab.{package}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
