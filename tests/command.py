"""Commands in this process: no Python starts, and nothing is imported again."""

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Finished:
    """What a command printed, and how it exited."""

    returncode: int
    stdout: str
    stderr: str


def run(main: Callable[[], None], program: str, *arguments: object, stdin: str = "") -> Finished:
    """Call the ``main`` of a program that is given these arguments, and a text to read."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        pytest.raises(SystemExit) as exit_,
    ):
        patch.setattr(sys, "argv", [program, *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        patch.setenv("COLUMNS", "200")
        main()
    return Finished(exit_.value.code or 0, stdout.getvalue(), stderr.getvalue())
