"""Frozen, hashed configuration: the one place where a value stands."""
