"""`python -m qcskit` is the command `qcskit`."""

from qcskit.cli import main

main()
