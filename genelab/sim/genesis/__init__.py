"""Genesis: the only package that imports it."""
