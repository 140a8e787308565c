"""A task for any environment of gymnasium, learnt by PPO."""

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.families.gymnasium.config import gym_env
from genelab_gymnasium import PREFIX


def task(task_id: str) -> TaskSpec:
    """The task of `Gym-<identifier>`. The settings are a beginning, and tuned to nothing.

    Raises:
        InputError: as `gym_env`.
    """
    env = gym_env(task_id.removeprefix(PREFIX))
    network = NetworkCfg(hidden_dims=(64, 64), activation="tanh")
    return TaskSpec(
        id=task_id,
        task_version=1,
        package="genelab_gymnasium",
        env=env,
        agent=PpoCfg(
            actor=network,
            critic=network,
            num_steps_per_env=64,
            num_learning_epochs=10,
            # Returns have any scale, and a clip of 0.2 holds values of thousands back.
            use_clipped_value_loss=False,
            entropy_coef=0.0,
            save_interval=25,
        ),
        train=TrainCfg(num_envs=32, iterations=250),
        protocol=ProtocolCfg(max_episode_s=env.length_s),
    )
