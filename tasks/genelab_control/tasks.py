"""The tasks, learnt by PPO on one processor core."""

import itertools

from genelab.config.agent import NetworkCfg, PpoCfg
from genelab.config.stage import TrainCfg
from genelab.config.task import ProtocolCfg, TaskSpec
from genelab.config.vector import ColumnsCfg, VectorEnvCfg
from genelab_control.domain import EPISODE_STEPS, Column, ControlTask
from genelab_control.simulations import SEED_DRAWS, sha256_of, suite_task

STEPS_PER_ENV, NUM_ENVS = 50, 128
STEPS = 2_000_000
"""Control steps of a training over all environments."""


def task(suite: str, name: str) -> TaskSpec:
    """A task of the suite, `name` without suite and version."""
    control = suite_task(suite, name)
    actor = NetworkCfg(hidden_dims=(128, 128), activation="tanh")
    env = environment(control, suite, name)
    return TaskSpec(
        id=f"{suite}-{name}-v0",
        task_version=1,
        package="genelab_control",
        return_ceiling=float(EPISODE_STEPS),
        env=env,
        agent=PpoCfg(
            actor=actor,
            critic=actor,
            num_steps_per_env=STEPS_PER_ENV,
            num_learning_epochs=5,
            # Returns reach hundreds, and a clip of 0.2 would hold their values back.
            use_clipped_value_loss=False,
            entropy_coef=0.0,
            save_interval=50,
        ),
        # No episode ends early: a rollout would show 50 of the 1000 steps, and the policy forget the others meanwhile.
        train=TrainCfg(num_envs=NUM_ENVS, iterations=STEPS // (STEPS_PER_ENV * NUM_ENVS), staggered=True),
        protocol=ProtocolCfg(max_episode_s=env.length_s),
    )


def environment(control: ControlTask, suite: str, name: str) -> VectorEnvCfg:
    """Its environment."""
    return VectorEnvCfg(
        make="genelab_control.simulations:make",
        params={"suite": suite, "task": name, "model_sha256": sha256_of(control)},
        simulator="mujoco",
        step_s=round(control.model.opt.timestep * control.substeps, 9),
        episode_steps=EPISODE_STEPS,
        observation=_parts(control.columns),
        action=tuple(control.model.actuator(k).name or f"action_{k}" for k in range(control.model.nu)),
        start_draws=SEED_DRAWS,
    )


def _parts(columns: tuple[Column, ...]) -> dict[str, ColumnsCfg]:
    """Columns of one unit that stand together, under the name of the first."""
    groups = [list(group) for _, group in itertools.groupby(columns, key=lambda column: column.unit)]
    return {
        group[0].name: ColumnsCfg(columns=tuple(column.name for column in group), unit=group[0].unit)
        for group in groups
    }
