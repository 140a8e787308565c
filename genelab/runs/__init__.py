"""One seed: its directory, status, stamps and lock."""
