import subprocess
import sys

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
for light in sys.argv[1:]:
    package = importlib.import_module(f"genelab.{light}")
    below = pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}.")
    for name in [package.__name__, *(module.name for module in below)]:
        importlib.import_module(name)
        loaded = {"torch", "genesis"} & set(sys.modules)
        assert not loaded, f"{name} imports {loaded}"
"""


def test_light_packages_import_neither_torch_nor_genesis() -> None:
    command = [sys.executable, "-c", IMPORT_ALL, *LIGHT]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
