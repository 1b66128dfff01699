"""The command line: `jaxrd limits`, `jaxrd sweep`."""

import sys

import typer

from jaxrd.cli.limits import limits_command
from jaxrd.cli.sweep import sweep_command

app = typer.Typer(
    name="jaxrd",
    help="Rate-distortion curves computed with certificates.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("limits")(limits_command)
app.command("sweep")(sweep_command)


@app.callback()
def _root() -> None:
    """Rate-distortion curves computed with certificates."""


def main() -> None:
    """Run the command line; bad input ends with one line on stderr and exit code 2, Ctrl-C with 130."""
    from jaxrd.solution import ConvergenceError
    from jaxrd.tosc.outputs import InputError

    try:
        app()
    except InputError as error:
        _fail(str(error), 2)
    except ConvergenceError as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        _fail("interrupted; nothing was written", 130)


def _fail(message: str, code: int) -> None:
    print(f"jaxrd: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
