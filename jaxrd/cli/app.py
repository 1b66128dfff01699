"""One application for all verbs, and the exit code of each error."""

import io
import sys
from typing import Annotated

import typer

from jaxrd._version import __version__
from jaxrd.cli.codec import app as codec_app
from jaxrd.cli.common import keep_compilations
from jaxrd.cli.decode import decode_command
from jaxrd.cli.encode import encode_command
from jaxrd.cli.limits import limits_command
from jaxrd.cli.merge import merge_command
from jaxrd.cli.rdc import rdc_command
from jaxrd.cli.reproduce import app as reproduce_app
from jaxrd.cli.sweep import sweep_command
from jaxrd.cli.tasks import tasks_command
from jaxrd.errors import InputError

app: typer.Typer = typer.Typer(
    name="jaxrd",
    help="Rate-distortion curves computed with certificates.",
    epilog="Exit codes: 0, all is done; 1, the results are saved, but a solver failed at a point: see its status; 2, "
    "the input cannot be used, nothing was written; 130, interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("limits")(limits_command)
app.command("tasks")(tasks_command)
app.command("sweep")(sweep_command)
app.command("merge")(merge_command)
app.command("rdc")(rdc_command)
app.add_typer(reproduce_app, name="reproduce")
app.command("encode")(encode_command)
app.command("decode")(decode_command)
app.add_typer(codec_app, name="codec")


def _version(context: typer.Context, asked: bool) -> None:
    if not asked:
        return
    if context.params.get("verbose"):
        from jaxrd.cli.version import report

        print(report())
    else:
        print(f"jaxrd {__version__}")
    raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, help="and exit")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", is_eager=True, help="with --version: what a bug report needs")
    ] = False,
    cache: Annotated[
        bool, typer.Option(help="Keep compiled programs in $XDG_CACHE_HOME/jaxrd (~/.cache/jaxrd) for the next run.")
    ] = True,
) -> None:
    """Rate-distortion curves computed with certificates."""
    if verbose:
        raise InputError("--verbose belongs to --version.")
    if cache:
        keep_compilations()


def run(args: list[str] | None = None) -> int:
    """Run a command line and return its exit code; an error is printed as one line on stderr."""
    for stream in (sys.stdout, sys.stderr):  # file names need not be valid text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(app(args, standalone_mode=False) or 0)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except InputError as error:
        return _fail(str(error), 2)
    except MemoryError:
        return _fail("there is not enough memory for this input.", 2)
    except OSError as error:
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)
    except Exception as error:
        # A usage error: an unknown option, a value that is no number.
        if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
            raise
        message, code = error.format_message().rstrip("."), error.exit_code  # pyright: ignore
        if not message:
            return code  # the help was shown
        end = "" if message.endswith("?") else "."
        return _fail(f"{message}{_given(error, message)}{end} See jaxrd --help.", code)


def _given(error: Exception, message: str) -> str:
    """What was typed, where the message does not say it: newer versions of typer let pydantic read numbers."""
    value = next((detail["input"] for detail in getattr(error.__cause__, "errors", list)()), None)
    if not isinstance(value, str):
        return ""
    several = getattr(getattr(error, "param", None), "multiple", False) and "," in value
    return (f"; got {value!r}" if repr(value) not in message else "") + (
        "; for several values give the option several times" if several else ""
    )


def _fail(message: str, code: int) -> int:
    print(f"jaxrd: {' '.join(message.split())}", file=sys.stderr)
    return code
