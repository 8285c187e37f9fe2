"""A page's answers come over one stream, closed after the last one; who asks at that moment must not wait for ever.

Client and server decide apart whether the stream is open: while the closing is on its way, a client takes the stream
for open, asks, and listens to nothing. So the closing is held back for a while, and a question in that time is answered
over the same stream; and after the closing, the answer to a question waits until the client has surely seen it.

    without:   server  --last answer--close-->          (event runs, nobody listens)
               client  <-------------------(sees the answer, asks)--(sees close)
    with:      server  --last answer--(2 s)--next answer--(2 s)--close-->
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HELD_SECONDS = 2.0
"""How long a stream stays open after its last event: longer than a chain of events takes to go on, short enough that
the few connections that a browser has for a server are free again."""
SEEN_SECONDS = 0.5
"""How long after the closing a client may still take the stream for open."""
_CLOSE = b'"close_stream"'
_MOST_KEPT = 10_000


@dataclass
class _Session:
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    closed_at: float = float("-inf")


class Streams:
    """The streams of all pages by their sessions; for one event loop."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    async def asked(self, session: str) -> None:
        """An event was taken in for this session; returns when the client may be told so."""
        found = self._session(session)
        found.asked.set()
        since = asyncio.get_running_loop().time() - found.closed_at
        if since < SEEN_SECONDS:
            await asyncio.sleep(SEEN_SECONDS - since)

    async def relay(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, session: str) -> None:
        """Serve one stream by as many of ``app``'s as it takes."""
        found = self._session(session)
        closing: list[Message] = []
        first = True

        async def pass_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                if first:
                    await send(message)
            elif closing or _CLOSE in message.get("body", b""):
                if not closing:
                    found.asked.clear()
                closing.append(message)
            elif message.get("body") or not message.get("more_body", False):
                await send(message)

        while True:
            closing.clear()
            await app(dict(scope), receive, pass_on)
            first = False
            if not closing or not await _is_set(found.asked, HELD_SECONDS):
                break
        found.closed_at = asyncio.get_running_loop().time()
        for message in closing:
            await send(message)

    def _session(self, session: str) -> _Session:
        found = self._sessions.pop(session, None) or _Session()
        self._sessions[session] = found
        while len(self._sessions) > _MOST_KEPT:
            self._sessions.popitem(last=False)
        return found


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return event.is_set()
    return True
