"""The process of one seed: trains it, or evaluates what it left."""
