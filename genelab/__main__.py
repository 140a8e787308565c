"""`python -m genelab`."""

from genelab.cli import main

main()
