"""The reference store, and the tables and pictures rendered from it."""
