"""Where things are by default. Imports no pydantic."""

from pathlib import Path

STORE = Path("reference")
"""Root of the reference store."""
