"""The model of a task: Stable-Baselines3's objects, as the config describes them."""

from stable_baselines3.common.logger import Logger
from torch import nn

from genelab.config.agent import SacCfg
from genelab.errors import InputError
from genelab.learn.sb3.replay import GoalReplayBuffer
from genelab.learn.sb3.sac import ADAM, GuardedSac
from genelab.learn.sb3.vec_env import GoalVecEnv

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "selu": nn.SELU,
    "silu": nn.SiLU,
}


def build_model(cfg: SacCfg, env: GoalVecEnv) -> GuardedSac:
    """Networks, optimisers and an empty buffer. Seed the global generators before.

    Raises:
        InputError: if a setting cannot be met by the library or the environment.
    """
    reward_range = env.environment.reward_range
    if reward_range is None:
        raise InputError("env.rewards: every term needs bounds, with which the guard of SAC compares its values")
    model = GuardedSac(
        "MultiInputPolicy",
        env,
        learning_rate=cfg.learning_rate,
        buffer_size=cfg.buffer_size,
        learning_starts=cfg.learning_starts,
        batch_size=cfg.batch_size,
        tau=cfg.tau,
        gamma=cfg.gamma,
        gradient_steps=cfg.gradient_steps,
        replay_buffer_class=GoalReplayBuffer,
        replay_buffer_kwargs={
            "n_sampled_goal": cfg.her.n_sampled_goal,
            "goal_selection_strategy": cfg.her.goal_selection_strategy,
        },
        ent_coef=cfg.ent_coef,
        policy_kwargs={
            "net_arch": {"pi": list(cfg.actor.hidden_dims), "qf": list(cfg.critic.hidden_dims)},
            "activation_fn": ACTIVATIONS[cfg.actor.activation],
            "optimizer_kwargs": ADAM,
        },
        device=env.environment.device,
    )
    # The library logs to a folder of its own choice otherwise.
    model.set_logger(Logger(None, []))
    model.reward_range = reward_range
    return model
