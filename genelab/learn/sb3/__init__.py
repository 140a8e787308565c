"""The Stable-Baselines3 back end: soft actor-critic with hindsight replay on goal-conditioned environments."""
