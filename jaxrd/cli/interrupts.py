"""What Ctrl-C does to the command line: one line and exit code 130, at whatever moment."""

import os
import signal


def leave(*_: object) -> None:
    """Before results are written: go at once, for a KeyboardInterrupt inside XLA's callbacks can crash."""
    _leave(b"nothing was written")


def leave_results(*_: object) -> None:
    """After they are."""
    _leave(b"the results were written before")


def _leave(words: bytes) -> None:
    show_cursor = b"\x1b[?25h" if os.isatty(2) else b""
    os.write(2, show_cursor + b"jaxrd: interrupted; " + words + b"\n")
    os._exit(130)


def install() -> None:
    """Handle Ctrl-C, unless a parent has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
