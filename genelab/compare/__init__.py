"""Compares two sets of seeds: what may be compared, the rule, and its outcome."""
