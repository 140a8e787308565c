from genelab.config.stage import TrainCfg
from genelab.registry import register_task
from genelab_cartpole import inverted_pendulum


def half_way() -> None:
    register_task(inverted_pendulum.v1().model_copy(update={"id": "Half-Way-v0"}))
    raise RuntimeError("the second task\nneeds a file that is gone")


def invalid() -> None:
    TrainCfg(num_envs=1, iterations=0)


def twice() -> None:
    register_task(inverted_pendulum.v1())
