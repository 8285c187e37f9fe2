"""How the page speaks of what goes wrong: a user's mistake in its own words, anything else as an internal error."""

import html
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.text import printable, printable_texts

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
def told(shown: Callable[[str], str] = html.escape) -> Iterator[None]:
    """Turn what is raised inside into ``gr.Error``, whose text the page takes for HTML."""
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:
        raise gr.Error(shown(message_of(error)), print_exception=False) from error


def telling(function: Callable[P, T]) -> Callable[P, T]:
    """A function of the page, whose errors are told."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with told():
            return function(*args, **kwargs)

    return wrapper


def answering(function: Callable[P, T]) -> Callable[P, T]:
    """A function of an endpoint: its errors are told as they are, and every text in its answer is printable.

    Of a value that has a default, none means the default.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with told(shown=str):
            given = signature.bind(*args, **kwargs)
            for name, value in given.arguments.items():
                given.arguments[name] = _checked(signature.parameters[name], value)
            answer: T = printable_texts(function(*given.args, **given.kwargs))
            return answer

    return wrapper


def _checked(parameter: inspect.Parameter, value: Any) -> Any:
    """The value, or the default in place of none. Raises InvalidSetting for one that should be a number and is not."""
    if value is None and parameter.default is not parameter.empty:
        return parameter.default
    if parameter.annotation in (float, float | None) and not isinstance(value, int | float | None):
        raise InvalidSetting(f"{parameter.name}: got {value!r}, allowed are numbers")
    return value


def notice(text: str, *, kind: str = "error") -> str:
    """A message that stands in the page; ``kind`` is error, warning or info."""
    role = "alert" if kind == "error" else "status"
    return f'<div class="notice {kind}" role="{role}">{html.escape(text)}</div>'
