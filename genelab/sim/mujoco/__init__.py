"""MuJoCo, through `mujoco.batch`: many copies of one model on the CPU."""
