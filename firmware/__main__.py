"""`python -m firmware` is the `rosette` command."""

from firmware.cli import main

main()
