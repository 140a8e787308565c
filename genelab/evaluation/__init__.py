"""Evaluation: numbered episodes, baselines, and the round trip through the checkpoint file."""
