"""JSON documents that call events: read, checked, and passed on as they were understood, written anew."""

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Send

from app.serving.access import Route
from app.serving.answers import NO_SUCH_EVENT, failed, refused
from app.serving.asgi import collect, hide, replace
from app.serving.file_values import NotADocument, names_foreign_file, parse
from app.serving.metrics import Metrics
from app.serving.owners import Owners
from app.serving.streams import Streams
from app.serving.visitor_files import VisitorFiles
from app.serving.visitors import Visitor

LONGEST_BYTES = 2**20


@dataclass(frozen=True)
class Events:
    """What can be called: an event of the page by its number, and by its name."""

    names: Collection[str]
    numbers: Collection[int]


@dataclass
class Documents:
    """What the gate does with a document before the app answers it."""

    app: ASGIApp
    files: VisitorFiles
    events: Events
    metrics: Metrics
    owners: Owners
    streams: Streams
    turns: asyncio.Semaphore
    """Of those that the app may be asked at the same time."""

    async def pass_on(self, request: Request, route: Route, visitor: Visitor, send: Send) -> Response | None:
        """A refusal; None when the app has answered."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BYTES:
                return refused(413, f"a document may have {LONGEST_BYTES // 1024} KB; upload files first")
        try:
            document = parse(bytes(body))
            if names_foreign_file(document, lambda path: self.files.owns(visitor, path)):
                return refused(403, "the request names a file that this visitor did not upload")
        except NotADocument:
            return refused(400, "this is no JSON object that the app takes")
        if (refusal := self._check_names(document, route, request.url.path, visitor)) is not None:
            return refusal
        await self._call(request, route, document, visitor, send)
        return None

    def _check_names(self, document: dict[str, Any], route: Route, path: str, visitor: Visitor) -> Response | None:
        """Whether the event exists, and what it is asked for is the visitor's."""
        session, event = document.get("session_hash"), document.get("event_id")
        calls_by_name = "{api_name}" in route.path
        if calls_by_name and route.part(path, "{api_name}") not in self.events.names:
            return refused(404, NO_SUCH_EVENT)
        if route.path == "/gradio_api/queue/join" and document.get("fn_index") not in self.events.numbers:
            return refused(404, NO_SUCH_EVENT)
        if not (session is None or (isinstance(session, str) and self.owners.claim("session", session, visitor.key))):
            return refused(403, "this belongs to another visitor")
        if not calls_by_name and event is not None and not self._may_end(event, visitor):
            return refused(403, "this belongs to another visitor")
        return None

    def _may_end(self, event: Any, visitor: Visitor) -> bool:
        return isinstance(event, str) and self.owners.has("event", event, visitor.key)

    async def _call(
        self, request: Request, route: Route, document: dict[str, Any], visitor: Visitor, send: Send
    ) -> None:
        """Pass a document on, and take note of the event that it began."""
        body = json.dumps(document).encode()
        replace(request.scope, b"content-type", b"application/json")
        replace(request.scope, b"content-length", str(len(body)).encode())
        hide(request.scope, b"accept-encoding")
        hide(request.scope, b"origin")
        async with self.turns:
            status, answer = await collect(self.app, request.scope, body, request.receive)
        event = _event_of(answer) if status == 200 else None
        if event:
            self.owners.give("event", event, visitor.key)
            self.metrics.event_taken()
            await self.streams.asked(str(document.get("session_hash") or event))
        if status == 503:
            self.metrics.event_refused()
        response = Response(answer, status, media_type="application/json") if status < 400 else failed(status)
        await response(request.scope, request.receive, send)


def _event_of(answer: bytes) -> str | None:
    try:
        found = json.loads(answer)["event_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None
