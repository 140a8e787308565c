"""The parts of an environment: what has a memory beside the simulator, or is seen by terms."""
