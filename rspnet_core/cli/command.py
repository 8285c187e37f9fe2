"""How every program of the project begins and ends: one help; a user's mistake is one line and an exit code."""

import os
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from rspnet_core.cli.arguments import check_arguments
from rspnet_core.cli.streams import open_streams
from rspnet_core.errors import RspnetError
from rspnet_core.text import printable

SOME_FAILED = 3
"""Done, but some files failed."""
INTERRUPTED = 130


OwnBackboneOption = Annotated[
    str | None,
    typer.Option("--backbone", help="energy; or the encoder, where it is your own code: package.module:factory."),
]
"""Names code that may then be imported; a file alone may not have it imported."""


def program(purpose: str) -> typer.Typer:
    """The commands of a program: alone it shows its help, which -h and --help show too; --version; completion."""
    app = commands(purpose, add_completion=True)
    app.callback(help=purpose)(_root)
    return app


def commands(purpose: str, *, add_completion: bool = False) -> typer.Typer:
    """Commands under one name, a part of a program."""
    return typer.Typer(
        help=purpose,
        no_args_is_help=True,
        add_completion=add_completion,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"rspnet {version('rspnet')}")
        raise typer.Exit


def _root(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def run(app: Callable[..., Any], name: str) -> None:
    """Call a command-line ``app`` and exit as its errors say; SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _read_names_as_utf8()
    open_streams()
    try:
        try:
            check_arguments(sys.argv[1:])
            app(prog_name=name)
        finally:
            sys.stdout.flush()
    except RspnetError as error:
        print(f"{name}: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output went away, as in `| head`
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _read_names_as_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale is another: one file has one name in every library."""
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        shown = sys.stdout.encoding if sys.stdout else "utf-8"
        os.execve(sys.executable, sys.orig_argv, os.environ | {"PYTHONUTF8": "1", "PYTHONIOENCODING": shown})  # noqa: S606
