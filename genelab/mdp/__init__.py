"""Terms: pure functions of the state view and their parameters. They never touch the simulator."""
