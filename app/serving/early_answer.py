"""An answer to a request that is still arriving: it is given at once, and the rest of the request is not taken in."""

import asyncio
from contextlib import suppress

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

LINGER_SECONDS = 2.0
"""A connection that is closed while the other side sends loses what was answered: so much time it has to read it."""

MOST_READ_BYTES = 2**20


class EarlyAnswer(JSONResponse):
    """A JSON document, after which the connection is closed."""

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
