"""Small things about requests and answers as ASGI has them."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope

log = logging.getLogger("rspnet.app.requests")


def hide(scope: Scope, name: bytes) -> None:
    """Take a header from a request."""
    scope["headers"] = [(key, value) for key, value in scope["headers"] if key != name]


def replace(scope: Scope, name: bytes, value: bytes) -> None:
    """Give a request this header alone of its name."""
    hide(scope, name)
    scope["headers"] = [*scope["headers"], (name, value)]


async def collect(app: ASGIApp, scope: Scope, body: bytes, receive: Receive) -> tuple[int, bytes]:
    """Status and body of an answer that is small."""
    status, parts, sent = 500, [], False

    async def give() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    async def take(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    try:
        await app(scope, give, take)
    except ClientDisconnect:
        raise
    except (TypeError, ValueError, LookupError) as error:  # Gradio's word for arguments that an event does not have
        log.warning("an event was not taken: %s", type(error).__name__)
        return 422, b""
    except Exception:
        log.exception("internal error")
        return 500, b""
    return status, b"".join(parts)
