"""How the page speaks of what goes wrong: a user's mistake in its own words, anything else as an internal error."""

import html
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import gradio as gr

from rspnet_core.errors import RspnetError
from rspnet_core.text import printable

log = logging.getLogger("rspnet.app")

P = ParamSpec("P")
T = TypeVar("T")
INTERNAL = "internal error; the server's log says more"


def message_of(error: Exception) -> str:
    """One line for people; what is not a user's mistake is logged and not told."""
    if isinstance(error, RspnetError):
        return printable(str(error))
    log.error("internal error", exc_info=error)
    return INTERNAL


@contextmanager
def told() -> Iterator[None]:
    """Turn what is raised inside into ``gr.Error``, which the page shows and the API sends."""
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:
        raise gr.Error(html.escape(message_of(error)), print_exception=False) from error


def telling(function: Callable[P, T]) -> Callable[P, T]:
    """A function whose errors are told."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with told():
            return function(*args, **kwargs)

    return wrapper


def notice(text: str, *, kind: str = "error") -> str:
    """A message that stands in the page; ``kind`` is error, warning or info."""
    role = "alert" if kind == "error" else "status"
    return f'<div class="notice {kind}" role="{role}">{html.escape(text)}</div>'
