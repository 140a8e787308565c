"""The simulator: the only package that touches Genesis."""
