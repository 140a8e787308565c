"""The cases of `bench.py`, a module each. What is compared runs in turns, A B A B, within one run."""
