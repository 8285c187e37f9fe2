"""Answers that are not the app's: refusals, errors in words of ours, and those to a request that is still arriving."""

import asyncio
from contextlib import suppress

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

RETRY_SECONDS = 5
NO_SUCH_EVENT = "there is no such event"
_SAID = {
    400: "the event does not take what was sent; see /gradio_api/info for what it takes",
    404: NO_SUCH_EVENT,
    422: "the event does not take what was sent; see /gradio_api/info for what it takes",
    500: "internal error; the server's log says more",
    503: "the app is busy and its queue is full; try again in a few seconds",
}
LINGER_SECONDS = 2.0
"""A connection that is closed while the other side sends loses what was answered: so much time it has to read it."""
MOST_READ_BYTES = 2**20


def refused(status: int, reason: str) -> Response:
    """A refusal with its reason."""
    return JSONResponse({"detail": reason}, status)


def failed(status: int) -> Response:
    """An error of the app in words of ours, which repeat nothing that the client sent."""
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None
    return JSONResponse({"detail": _SAID.get(status, _SAID[500])}, status if status in _SAID else 500, headers=headers)


class EarlyAnswer(JSONResponse):
    """A JSON document that is given at once; the rest of the request is not taken in, the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, read and forget for a while what still comes, hang up."""
        headers = [*self.raw_headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            await asyncio.wait_for(_rest(receive), LINGER_SECONDS)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _rest(receive: Receive) -> None:
    """Read what was on its way; a sender who goes on after that is not read, so that it has to stop."""
    taken_bytes = 0
    while taken_bytes < MOST_READ_BYTES:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        taken_bytes += len(message.get("body", b""))
    await asyncio.sleep(LINGER_SECONDS)
