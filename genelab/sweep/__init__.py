"""Several seeds of one task: plan, processes, live view."""
