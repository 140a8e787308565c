"""The learners: PPO of rsl_rl or Stable-Baselines3, SAC and TQC with or without hindsight replay. Names are theirs."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from genelab.config.base import TAG, Cfg, Choice, broken_rule, one_of, rising


class NetworkCfg(Cfg):
    """A multi-layer perceptron."""

    hidden_dims: tuple[PositiveInt, ...] = Field(min_length=1)
    """Units of the hidden layers."""
    activation: Literal["elu", "relu", "tanh", "selu", "silu"] = "elu"
    """Activation between layers."""


def one_activation(actor: NetworkCfg) -> str:
    """The rule on the activation of a critic of Stable-Baselines3."""
    return f"must be {actor.activation!r}, that of the actor: stable_baselines3 has one for both"


class PpoCfg(Cfg):
    """Proximal policy optimisation as implemented by rsl_rl or Stable-Baselines3."""

    algorithm: Literal["ppo"] = "ppo"
    """Learning algorithm."""
    trainer: Literal["rsl_rl", "stable_baselines3"] = "rsl_rl"
    """Library that implements it."""
    actor: NetworkCfg
    """Policy network, reads the `policy` observations."""
    critic: NetworkCfg
    """Value network, reads the `critic` observations; in Stable-Baselines3 the `policy` observations, too."""
    normalization: Literal["running", "fixed", "none"] = "running"
    """Observation normalisation: `running` keeps mean and variance inside the checkpoint, frozen for evaluation;
    `fixed` maps the bounds of every observation term to -1 and 1."""
    init_std: PositiveFloat = 1.0
    """Initial standard deviation of the action noise, in action units."""
    std_by_state: Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(rising)] | None = None
    """Lowest and highest standard deviation of an action noise that the policy network tells for each observation; null
    for one number per action."""
    squashed: bool = False
    """Whether actions are squashed by tanh into (-1, 1). Needs `std_by_state`, which then stands for the noise before
    it is squashed."""
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
    reward_scale: PositiveFloat = 1.0
    """Factor on the rewards that the learner sees. Curves and evaluations show the rewards without it."""
    clip_param: PositiveFloat = 0.2
    """Clip range of the probability ratio and of the value change."""
    value_loss_coef: NonNegativeFloat = 1.0
    """Weight of the value loss."""
    use_clipped_value_loss: bool = True
    """Whether the value change is clipped."""
    entropy_coef: NonNegativeFloat = 0.005
    """Weight of the entropy bonus."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradient norm limit; of actor and critic apart in rsl_rl, of both together in Stable-Baselines3."""
    symmetry: bool = False
    """Whether every mini-batch is doubled by its mirror image, of a robot with `env.robot.mirror`."""
    save_interval: PositiveInt
    """Iterations between two checkpoints and resume states."""

    @model_validator(mode="after")
    def _library_has_what_is_asked_for(self) -> Self:
        if self.squashed and self.std_by_state is None:
            raise broken_rule("std_by_state", None, "must be given, because squashed is true")
        if self.trainer == "rsl_rl":
            return self
        if self.schedule != "fixed":
            raise broken_rule("schedule", self.schedule, "must be 'fixed': stable_baselines3 has no other")
        for field, without in (("std_by_state", None), ("squashed", False), ("symmetry", False)):
            if (found := getattr(self, field)) != without:
                raise broken_rule(field, found, f"must be {without}: stable_baselines3 does not have it")
        if self.actor.activation != self.critic.activation:
            raise broken_rule("critic.activation", self.critic.activation, one_activation(self.actor))
        return self

    @property
    def groups(self) -> tuple[str, ...]:
        """Observation groups that it needs."""
        return ("policy", "critic") if self.trainer == "rsl_rl" else ("policy",)

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


class OffPolicyCfg(Cfg):
    """What the soft actor-critics have in common: learning from replayed transitions, with hindsight or without."""

    algorithm: Literal["sac", "tqc"]
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
    her: HerCfg | None = HerCfg()
    """Hindsight experience replay; null to replay transitions as they were, which needs no goal."""
    demo_path: Choice | None = None
    """Demonstrations that fill the replay buffer before training; null for a task that trains without."""
    save_interval: PositiveInt
    """Iterations between two checkpoints and resume states."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Observation groups that it needs."""
        return ("policy",) if self.her is None else ("observation", "achieved_goal", "desired_goal")

    @property
    def actor_groups(self) -> tuple[str, ...]:
        """Observation groups that the policy reads, in order."""
        return self.groups


class SacCfg(OffPolicyCfg):
    """Soft actor-critic: the smaller value of two critics is learnt from."""

    algorithm: Literal["sac"] = "sac"  # pyright: ignore[reportIncompatibleVariableOverride] it is frozen
    """Learning algorithm."""


class TqcCfg(OffPolicyCfg):
    """Truncated quantile critics of sb3-contrib: soft actor-critic whose critics tell a distribution of returns."""

    algorithm: Literal["tqc"] = "tqc"  # pyright: ignore[reportIncompatibleVariableOverride] it is frozen
    """Learning algorithm."""
    n_quantiles: int = Field(default=25, ge=2)
    """Quantiles that each of the two critics tells."""
    top_quantiles_to_drop_per_net: NonNegativeInt = 2
    """Largest quantiles that are left out of the target, per critic: more of them against overestimation."""

    @model_validator(mode="after")
    def _quantiles_are_left(self) -> Self:
        if self.top_quantiles_to_drop_per_net >= self.n_quantiles:
            rule = f"must be below the {self.n_quantiles} of n_quantiles"
            raise broken_rule("top_quantiles_to_drop_per_net", self.top_quantiles_to_drop_per_net, rule)
        return self


AgentCfg = Annotated[
    Annotated[PpoCfg, Tag(f"{TAG}ppo")] | Annotated[SacCfg, Tag(f"{TAG}sac")] | Annotated[TqcCfg, Tag(f"{TAG}tqc")],
    one_of("algorithm"),
]
