"""`python -m trainjobs` is the command line."""

from trainjobs.cli import main

main()
