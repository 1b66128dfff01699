"""The command line: `jaxrd limits`, `jaxrd sweep`, `jaxrd reproduce`."""

import os
import signal
import sys
from typing import Any


def _leave(*_: Any) -> None:
    """Ctrl-C before results are written: go at once, for a KeyboardInterrupt inside XLA's callbacks can crash."""
    show_cursor = b"\x1b[?25h" if os.isatty(2) else b""
    os.write(2, show_cursor + b"jaxrd: interrupted; nothing was written\n")
    os._exit(130)


def main() -> None:
    """Run the command line; bad input ends with one line on stderr and exit code 2, Ctrl-C with 130."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where a parent has it ignored
        signal.signal(signal.SIGINT, _leave)
    from jaxrd.cli.app import run

    sys.exit(run())
