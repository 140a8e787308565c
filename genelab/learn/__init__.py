"""Learning: the back ends, checkpoints that hold everything, and the exact training state."""
