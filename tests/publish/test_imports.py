import subprocess
import sys

HEAVY = ("torch", "genesis", "scipy", "matplotlib", "jinja2", "numpy")


def test_modules_load_without_heavy_libraries() -> None:
    modules = ("cli.check", "cli.reference", "cli.render", "records.check", "publish.render")
    imports = ", ".join(f"genelab.{name}" for name in modules)
    code = f"import sys, {imports}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
