"""The learners: PPO of rsl_rl, and SAC with hindsight replay of Stable-Baselines3. Names are theirs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Tag

from genelab.config.base import TAG, Cfg, Choice, one_of, rising


class NetworkCfg(Cfg):
    """A multi-layer perceptron."""

    hidden_dims: tuple[PositiveInt, ...] = Field(min_length=1)
    """Units of the hidden layers."""
    activation: Literal["elu", "relu", "tanh", "selu", "silu"] = "elu"
    """Activation between layers."""


class PpoCfg(Cfg):
    """Proximal policy optimisation as implemented by rsl_rl."""

    algorithm: Literal["ppo"] = "ppo"
    """Learning algorithm."""
    trainer: Literal["rsl_rl"] = "rsl_rl"
    """Library that implements it."""
    actor: NetworkCfg
    """Policy network, reads the `policy` observations."""
    critic: NetworkCfg
    """Value network, reads the `critic` observations."""
    normalization: Literal["running", "fixed", "none"] = "running"
    """Observation normalisation: `running` keeps mean and variance inside the checkpoint, frozen for evaluation;
    `fixed` maps the bounds of every observation term to -1 and 1."""
    init_std: PositiveFloat = 1.0
    """Initial standard deviation of the action noise, in action units."""
    std_by_state: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(rising)] | None = None
    """Lowest and highest standard deviation of an action noise that the policy network tells for each observation; null
    for one number per action."""
    num_steps_per_env: PositiveInt = 24
    """Control steps per environment and iteration."""
    num_learning_epochs: PositiveInt = 5
    """Passes over the rollout per iteration."""
    num_mini_batches: PositiveInt = 4
    """Optimiser steps per pass."""
    learning_rate: PositiveFloat = 1e-3
    """Initial Adam step size."""
    schedule: Literal["adaptive", "fixed"] = "adaptive"
    """`adaptive` steers the step size by the KL divergence, within 1e-5 and 1e-2."""
    desired_kl: PositiveFloat = 0.01
    """KL divergence that the adaptive schedule aims at, nats."""
    gamma: float = Field(default=0.99, gt=0.0, le=1.0)
    """Discount per control step."""
    lam: float = Field(default=0.95, ge=0.0, le=1.0)
    """Lambda of generalised advantage estimation."""
    clip_param: PositiveFloat = 0.2
    """Clip range of the probability ratio and of the value change."""
    value_loss_coef: NonNegativeFloat = 1.0
    """Weight of the value loss."""
    use_clipped_value_loss: bool = True
    """Whether the value change is clipped."""
    entropy_coef: NonNegativeFloat = 0.005
    """Weight of the entropy bonus."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradient norm limit, actor and critic apart."""
    symmetry: bool = False
    """Whether every mini-batch is doubled by its mirror image, of a robot with `env.robot.mirror`."""
    save_interval: PositiveInt
    """Iterations between two checkpoints and resume states."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Observation groups that it needs."""
        return ("policy", "critic")

    @property
    def actor_groups(self) -> tuple[str, ...]:
        """Observation groups that the policy reads, in order."""
        return ("policy",)


class HerCfg(Cfg):
    """Hindsight experience replay: stored transitions are judged again by a goal that was achieved later."""

    n_sampled_goal: PositiveInt = 4
    """Relabelled transitions per one with its own goal."""
    goal_selection_strategy: Literal["future"] = "future"
    """Which goal: one achieved in the same episode, at this step or later."""


class SacCfg(Cfg):
    """Soft actor-critic with hindsight experience replay, on a goal-conditioned environment."""

    algorithm: Literal["sac"] = "sac"
    """Learning algorithm."""
    trainer: Literal["stable_baselines3"] = "stable_baselines3"
    """Library that implements it."""
    actor: NetworkCfg
    """Policy network."""
    critic: NetworkCfg
    """Value networks, two of them."""
    normalization: Literal["none"] = "none"
    """Observation normalisation."""
    num_steps_per_env: PositiveInt
    """Control steps per environment and iteration."""
    gradient_steps: PositiveInt = 1
    """Updates per control step of all environments."""
    batch_size: PositiveInt = 256
    """Transitions per update."""
    buffer_size: PositiveInt = 1_000_000
    """Transitions kept, over all environments."""
    learning_starts: NonNegativeInt = 100
    """Transitions collected with random actions before the first update, over all environments."""
    learning_rate: PositiveFloat = 3e-4
    """Adam step size of actor and critics."""
    gamma: float = Field(default=0.99, gt=0.0, lt=1.0)
    """Discount per control step."""
    tau: float = Field(default=0.005, gt=0.0, le=1.0)
    """Share of the target networks replaced per update."""
    ent_coef: PositiveFloat
    """Weight of the entropy, fixed."""
    her: HerCfg = HerCfg()
    """Hindsight experience replay."""
    demo_path: Choice | None = None
    """Demonstrations that fill the replay buffer before training; null for a task that trains without."""
    save_interval: PositiveInt
    """Iterations between two checkpoints and resume states."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Observation groups that it needs."""
        return ("observation", "achieved_goal", "desired_goal")

    @property
    def actor_groups(self) -> tuple[str, ...]:
        """Observation groups that the policy reads, in order."""
        return self.groups


AgentCfg = Annotated[Annotated[PpoCfg, Tag(f"{TAG}ppo")] | Annotated[SacCfg, Tag(f"{TAG}sac")], one_of("algorithm")]
