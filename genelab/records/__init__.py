"""Schemas of what a run leaves behind, the statistics over it, and its check."""
