"""`python -m vidgan` is the `vidgan` command."""

from vidgan.cli import main

main()
