"""Installs a wheel alone in an empty environment outside the checkout, and lists, trains and evaluates with it."""

import subprocess
import sys
import tempfile
from pathlib import Path

import make_venv

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
TASK = "GeneLab-Inverted-Pendulum-v1"


def main(wheel: Path) -> None:
    """Run the smoke test; the first command that fails ends it."""
    with tempfile.TemporaryDirectory(prefix="genelab-wheel-") as temporary:
        home = Path(temporary)
        if problem := make_venv.main(home / "venv"):
            sys.exit(problem)
        scripts = home / "venv" / "bin"

        def run(program: str, *args: str) -> None:
            print("+", program, *args, flush=True)
            subprocess.run([str(scripts / program), *args], cwd=home, check=True)

        run("python", "-m", "pip", "install", "-q", "-c", str(CONSTRAINTS), str(wheel.resolve()))
        run("genelab", "list")
        small = ["--iterations", "2", "--num-envs", "16", "--set", "protocol.episodes=8"]
        # Both simulators, the one that compiles first only once.
        run("genelab", "train", TASK, "--seeds", "1", *small, "--engine", "mujoco", "--log_dir", "sweep")
        checkpoint = "sweep/seed_1/model_final.pt"
        run("genelab", "eval", TASK, checkpoint, "--engine", "genesis", "--episodes", "2", "--out", "eval.json")
        run("genelab", "check", "sweep", "eval.json")
    print("the wheel works")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
