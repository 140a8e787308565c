"""The robots: gains, poses, symmetry and sites, and nothing of a task."""
