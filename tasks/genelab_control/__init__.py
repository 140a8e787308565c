"""The control suite's tasks, as two suites define them.

DMC is the DeepMind Control Suite (dm_control), Playground is MuJoCo Playground's port of it; both are under Apache-2.0,
and the numbers of models, starts and rewards are theirs. The two differ in time steps, solver, starts and observations,
so their returns must not be compared. Suite Playground runs in C MuJoCo, not in MJX or Warp, and each first observation
shows the target where it is; Playground's own shows it where the model has it.
"""
