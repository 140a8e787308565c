"""Learning: the rsl_rl back end, checkpoints that hold everything, and the exact training state."""
