"""`python -m server.cli`: the command line, where no script is installed."""

from server.cli import main

main()
