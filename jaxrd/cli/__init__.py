"""The command line: one verb a file, in `app`'s list; `run` is what all verbs share."""

import sys

from jaxrd.cli import interrupts


def main() -> None:
    """Run the command line; bad input ends with one line on stderr and exit code 2, Ctrl-C with 130."""
    interrupts.install()
    from jaxrd.cli.app import run

    sys.exit(run())
