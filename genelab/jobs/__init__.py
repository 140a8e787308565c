"""What a command does in its own process: it starts the simulator at most once."""
