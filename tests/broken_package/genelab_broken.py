from genelab.config.stage import TrainCfg
from genelab.registry import register_task

POLE = "genelab_cartpole.inverted_pendulum:v1"


def half_way() -> None:
    register_task("Half-Way-v0", POLE, robot="Cart", summary="Never seen.")
    raise RuntimeError("the second task\nneeds a file that is gone")


def invalid() -> None:
    TrainCfg(num_envs=1, iterations=0)


def twice() -> None:
    register_task("GeneLab-Inverted-Pendulum-v1", POLE, robot="Cart", summary="Somebody else's.")
