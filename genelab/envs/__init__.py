"""The vectorised environment: the step loop over the simulator and the terms."""
