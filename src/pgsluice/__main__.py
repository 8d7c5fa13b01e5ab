"""``python -m pgsluice``: the command line."""

from pgsluice.cli import run

run()
