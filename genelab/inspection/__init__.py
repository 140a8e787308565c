"""What every dimension of observations and actions really holds, over a rollout or in a demonstration file."""
