"""What no argument of any command may be, because nothing that it could mean has such a name."""

import os
from collections.abc import Sequence

from rspnet_core.errors import InvalidSetting
from rspnet_core.text import short

MOST_NAME_BYTES = 255
"""Of a file's or folder's name, on every file system in use."""
MOST_PATH_BYTES = 4095


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises InvalidSetting for an argument that is empty, has line breaks or is longer than a file's name can be."""
    before = "the program's name"
    for argument in arguments:
        option, is_assigned, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
        problem = _problem(value) if is_assigned or not option else None
        if problem:
            what = option if is_assigned else f"the argument after {before}"
            raise InvalidSetting(f"{what} {problem}")
        before = short(argument)


def _problem(value: str) -> str | None:
    if not value:
        return "is empty: give a name, or leave it out (is a variable of the shell not set?)"
    if value.splitlines() != [value]:
        return f"has a line break in it: {short(value)!r}; give one name, on one line"
    names = [] if "://" in value else os.fsencode(value).split(b"/")
    longest = max((len(name) for name in names), default=0)
    if longest > MOST_NAME_BYTES:
        return f"has a name of {longest} bytes, no file's has more than {MOST_NAME_BYTES}: {short(value)}"
    if names and len(value) > MOST_PATH_BYTES:
        return f"is a path of {len(value)} bytes, none has more than {MOST_PATH_BYTES}: {short(value)}"
    return None
