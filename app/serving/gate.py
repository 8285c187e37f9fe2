"""The gate: what every request passes before anything else of the app sees it.

    request --host, origin--> --who is it--> --may they (the table)--> --own session, event, files?--> app
    answer  <--headers, metrics, one line of log--

Refused is what does not stand in the table, what another site sends, and any JSON document that names a file which its
sender did not upload. What goes on is the document as it was understood here, written anew, so that no reader further
on can understand another one.
"""

import asyncio
import gzip
import logging
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serving.access import Route, Who, find_route, needs_no_login
from app.serving.answers import RETRY_SECONDS, refused
from app.serving.asgi import collect, hide
from app.serving.documents import Documents, Events
from app.serving.headers import page_policy, set_headers, with_nonce
from app.serving.logs import request_id
from app.serving.metrics import Metrics
from app.serving.old_links import newer_query
from app.serving.owners import Owners
from app.serving.sessions import Sessions, set_cookie
from app.serving.streams import Streams
from app.serving.visitor_files import VisitorFiles
from app.serving.visitors import SCOPE_KEY, Visitor

log = logging.getLogger("rspnet.app.requests")

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAFE = {"GET", "HEAD"}
_AT_A_TIME = 4
"""Of what takes the interpreter and no waiting: more at once would only keep the event loop from its turn."""
_DESCRIPTIONS = {"/config", "/config/", "/gradio_api/info", "/gradio_api/info/", "/gradio_api/openapi.json"}
_ASSETS = "/assets/{path:path}"
"""Gradio's scripts and styles; each name ends in a digest of what is in it."""
_SCRIPTS = {_ASSETS, "/static/{path:path}"}


@dataclass
class Gate:
    """An ASGI application around another; one for a server."""

    app: ASGIApp
    sessions: Sessions
    files: VisitorFiles
    events: Events
    metrics: Metrics
    is_ready: Callable[[], bool]
    hosts: Collection[str] | None = None
    """Names under which the server may be asked; None for any. Where everyone who asks may edit, a site whose name
    was made to point here must not."""
    ancestors: str = "'none'"
    """Sites that may show the page in a frame, as Content-Security-Policy writes them."""

    def __post_init__(self) -> None:
        self._owners, self._streams, self._turns = Owners(), Streams(), asyncio.Semaphore(_AT_A_TIME)
        self._documents = Documents(
            self.app, self.files, self.events, self.metrics, self._owners, self._streams, self._turns
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:  # there are no websockets here
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, log and complete the answer of whatever answers."""
        began, status, token = time.perf_counter(), 0, secrets.token_hex(8)
        request_id.set(token)
        request = Request(scope, receive)
        route = find_route(request.method, request.url.path)

        async def completed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                path = route and route.path
                set_headers(
                    headers,
                    ancestors=self.ancestors,
                    request_id=token,
                    is_script=path in _SCRIPTS,
                    never_changes=path == _ASSETS and status == 200,
                )
                if cookie := scope.pop("rspnet.cookie", None):
                    set_cookie(headers, cookie, secure=scope["scheme"] == "https")
            await send(message)

        try:
            answer = await self._answer(request, route, completed)
            if answer is not None:
                await answer(scope, receive, completed)
        except ClientDisconnect:
            pass
        finally:
            seconds = time.perf_counter() - began
            visitor = scope.get(SCOPE_KEY)
            self.metrics.request(request.method, route.path if route else "none", status, seconds)
            facts: dict[str, Any] = {"method": request.method, "route": route.path if route else None, "status": status}
            facts |= {"seconds": round(seconds, 4), "user": visitor.name if visitor else None}
            log.info("request", extra=facts)

    async def _answer(self, request: Request, route: Route | None, send: Send) -> Response | None:
        """A refusal or an answer of the gate's own; None when the app has answered."""
        path = request.url.path
        if route is not None and path in ("/healthz", "/readyz"):
            return self._health(path)
        if not self._is_asked_here(request):
            return refused(421, "this app answers under the names of this machine alone; see --auth-file for others")
        if request.method not in _SAFE and _is_of_another_site(request):
            return refused(403, "another site sent this request")
        visitor, cookie = self.sessions.visitor(request.cookies)
        if visitor is None and not (route and route.who is Who.ANYONE):
            return _login_first(request, needs_no_login(path))
        if route is None or route.who is Who.NOBODY:
            return refused(404, "there is nothing here")
        if visitor is not None:
            request.scope[SCOPE_KEY] = visitor
            if cookie and route.who is Who.VISITOR:
                request.scope["rspnet.cookie"] = cookie
        return await self._pass(request, route, visitor, send)

    async def _pass(self, request: Request, route: Route, visitor: Visitor | None, send: Send) -> Response | None:
        """Let the app answer, once what the request names is the visitor's."""
        if route.path == "/" and (query := newer_query(request.url.query)) is not None:
            return RedirectResponse("./" + (f"?{query}" if query else ""), 303)
        if visitor is None or route.who is Who.ANYONE:
            await self.app(request.scope, request.receive, send)
            return None
        session = request.query_params.get("session_hash") or route.part(request.url.path, "{session_hash}")
        upload = request.query_params.get("upload_id")
        event = route.part(request.url.path, "{event_id}")
        if not (
            (session is None or self._owners.claim("session", session, visitor.key))
            and (upload is None or self._owners.claim("upload", upload, visitor.key))
            and (event is None or self._owners.has("event", event, visitor.key))
        ):
            return refused(403, "this belongs to another visitor")
        if route.is_json:
            return await self._documents.pass_on(request, route, visitor, send)
        if route.path == "/gradio_api/queue/data":
            hide(request.scope, b"accept-encoding")  # what is compressed cannot be read here
            await self._streams.relay(self.app, request.scope, request.receive, send, session or "")
        elif route.path == "/" and request.method == "GET":
            await self._pass_page(request, send)
        elif route.path in _DESCRIPTIONS:
            hide(request.scope, b"origin")
            async with self._turns:
                await self.app(request.scope, request.receive, send)
        else:
            hide(request.scope, b"origin")
            await self.app(request.scope, request.receive, send)
        return None

    async def _pass_page(self, request: Request, send: Send) -> None:
        takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
        hide(request.scope, b"accept-encoding")
        async with self._turns:
            status, body = await collect(self.app, request.scope, b"", request.receive)
        policy, nonce = page_policy(self.ancestors)
        headers = {"Content-Security-Policy": policy, "Vary": "Accept-Encoding"}
        body = with_nonce(body, nonce)
        if takes_gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 5)
        page = Response(body, status, headers=headers, media_type="text/html")
        await page(request.scope, request.receive, send)

    def _health(self, path: str) -> Response:
        """Answered by the event loop itself, which shares no thread with what decodes, encodes and searches."""
        if path == "/healthz" or self.is_ready():
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "not ready"}, 503, headers={"Retry-After": str(RETRY_SECONDS)})

    def _is_asked_here(self, request: Request) -> bool:
        host = request.headers.get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return self.hosts is None or name in self.hosts


def _is_of_another_site(request: Request) -> bool:
    """Whether a browser says that the request was made by a page of another origin."""
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()


def _login_first(request: Request, is_open: bool) -> Response:
    if request.method == "GET" and request.url.path == "/" and "text/html" in request.headers.get("accept", ""):
        query = urlencode(request.query_params.multi_items())
        return RedirectResponse("login" + (f"?{query}" if query else ""), 303)
    return refused(405 if is_open else 401, "log in first; a program logs in by POST /login")
