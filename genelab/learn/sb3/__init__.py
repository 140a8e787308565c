"""The Stable-Baselines3 back end: PPO, and soft actor-critics with hindsight replay or without."""
