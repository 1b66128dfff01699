"""Ctrl-C ends the command line at any moment, with one line on stderr and exit code 130."""

import os
import signal


def leave(*_: object) -> None:
    """Exit at once, before results are written: a KeyboardInterrupt inside XLA's callbacks can crash."""
    _leave(b"nothing was written")


def leave_resumable(*_: object) -> None:
    """Exit at once, before results are written, while finished steps are kept in the folder of --resume."""
    _leave(b"no results were written; the same command goes on from the steps that --resume has kept")


def leave_results(*_: object) -> None:
    """Exit at once, after results are written."""
    _leave(b"the results were written before")


def _leave(words: bytes) -> None:
    show_cursor = b"\x1b[?25h" if os.isatty(2) else b""
    os.write(2, show_cursor + b"jaxrd: interrupted; " + words + b"\n")
    os._exit(130)


def install() -> None:
    """Handle Ctrl-C, unless the parent process set it to be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


def install_resumable() -> None:
    """From here on Ctrl-C says that finished steps are kept, where it is ours to handle."""
    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, leave_resumable)
