"""`python -m qcskit.cli` is the command `qcskit`."""

from qcskit.cli import main

main()
