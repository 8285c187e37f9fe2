"""How every program of the project begins and ends: one help; a user's mistake is one line and an exit code."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

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
    """Commands under one name: alone it shows its help, which -h and --help show too."""
    return typer.Typer(
        help=purpose,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def run(app: Callable[..., Any], name: str) -> None:
    """Call a command-line ``app`` and exit as its errors say; SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(prog_name=name)
    except RspnetError as error:
        print(f"{name}: {printable(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output went away, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
