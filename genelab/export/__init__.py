"""Policies as files that need no genelab, each with a contract that says how to run it."""
