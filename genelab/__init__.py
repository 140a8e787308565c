"""genelab: train, evaluate and publish robot-learning results that anyone can check."""

__version__ = "0.1.0"
