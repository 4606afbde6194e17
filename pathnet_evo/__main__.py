"""``python -m pathnet_evo``: the command line, where the program is not on the path."""

from pathnet_evo.cli import main

main()
