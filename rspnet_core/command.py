"""How every command of the project ends: a user's mistake is one line on stderr and its exit code, no traceback."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from rspnet_core.errors import RspnetError
from rspnet_core.text import printable

SOME_FAILED = 3
"""Done, but some files failed."""
INTERRUPTED = 130


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
