"""Where things are unless somebody says otherwise. Imports no pydantic."""

from pathlib import Path

STORE = Path("reference")
"""Root of the reference store."""
