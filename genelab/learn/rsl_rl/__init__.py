"""The rsl_rl back end: PPO."""
