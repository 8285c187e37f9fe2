"""The page, its media, uploads and logins behind one gate."""

import asyncio
import logging
import os
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from app.main import create_app
from app.page.theme import CSS, HEAD, SCRIPT, theme
from app.serving.answers import EarlyAnswer
from app.serving.documents import Events
from app.serving.gate import LOOPBACK_NAMES, Gate
from app.serving.login import add_login
from app.serving.sessions import Sessions
from app.serving.throttle import Throttle
from app.serving.users import UserFile
from app.serving.visitors import SCOPE_KEY, Role, Visitor
from app.session.services import Services
from rspnet_core.errors import NotAllowed, QueryNotFound, RspnetError

_SHOWN_INLINE = (".mp4", ".webm", ".mov", ".m4v", ".mkv", ".jpg", ".png", ".gif")
"""Uploads and results that a browser may show; all others it has to save."""
_MEDIA_HEADERS = {"Cache-Control": "private, max-age=300"}


def configure(server: Gate, trusted_proxies: str = "127.0.0.1") -> uvicorn.Config:
    """How it is served: an open page, which listens for ever, does not keep the server from ending.

    ``trusted_proxies``: addresses and networks, with commas, whose word is taken for a visitor's address and for TLS.
    """
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    return uvicorn.Config(
        server,
        log_level="warning",
        log_config=None,
        timeout_graceful_shutdown=1,
        server_header=False,
        forwarded_allow_ips=trusted_proxies,
    )


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """False for what is logged of pages that were open at the end."""
    cancelled = record.exc_info is not None and isinstance(record.exc_info[1], CancelledError)
    return not cancelled and "timeout graceful shutdown" not in record.getMessage()


def create_server(
    services: Services, *, users: UserFile | None = None, strangers: Role = "editor", ancestors: str = "'none'"
) -> Gate:
    """An ASGI application: ``/`` is the page; the table in ``access`` says what else there is.

    Args:
        services: the open library.
        users: who may enter; everyone without.
        strangers: the role of everyone where there are no ``users``. Editors are then only those who ask for this
            machine by a name of its own.
        ancestors: sites that may show the page in a frame, as Content-Security-Policy writes them.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(services.files.sweep_for_ever())
        yield
        sweeping.cancel()

    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    sessions = Sessions(users, strangers)
    server.add_api_route("/robots.txt", lambda: PlainTextResponse("User-agent: *\nDisallow: /\n"))
    server.add_api_route("/page.js", lambda: FileResponse(SCRIPT))
    add_login(server, sessions, Throttle())
    _add_media(server, services)
    _add_files(server, services)
    page = create_app(services)
    _mount(server, page, services, has_logins=users is not None)
    services.metrics.watch_queue(lambda: len(page._queue))
    return Gate(
        server,
        sessions=sessions,
        files=services.files,
        events=Events(
            names={str(event.api_name) for event in page.fns.values() if event.fn},
            numbers={number for number, event in page.fns.items() if event.fn},
        ),
        metrics=services.metrics,
        is_ready=lambda: not page._queue.stopped,
        hosts=LOOPBACK_NAMES if users is None and strangers == "editor" else None,
        ancestors=ancestors,
    )


def _mount(server: FastAPI, page: gr.Blocks, services: Services, *, has_logins: bool) -> None:
    gr.mount_gradio_app(
        server,
        page,
        path="/",
        auth_dependency=_name_of if has_logins else None,
        show_error=False,
        max_file_size=services.files.limit_bytes,
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        theme=theme(),
        css=CSS,
        head=HEAD,
    )
    # Gradio checks which files an event may name only for a page that it launched itself, and takes an SVG that is
    # uploaded to another one for a file of the app's.
    page.has_launched = True
    page.is_running = True


def _visitor(request: Request) -> Visitor:
    visitor: Visitor = request.scope[SCOPE_KEY]
    return visitor


def _name_of(request: Request) -> str | None:
    return _visitor(request).name


def _add_files(server: FastAPI, services: Services) -> None:
    """Uploads, and what a visitor's own files are fetched by."""

    @server.post("/gradio_api/upload")
    async def upload(request: Request) -> Response:
        try:
            return JSONResponse(await services.files.receive(request, _visitor(request)))
        except HTTPException as refused:
            return EarlyAnswer({"detail": refused.detail}, refused.status_code, refused.headers)

    @server.head("/gradio_api/file={path_or_url:path}")
    @server.get("/gradio_api/file={path_or_url:path}")
    def own_file(request: Request, path_or_url: str) -> FileResponse:
        path = path_or_url
        if not services.files.owns(_visitor(request), path) or not Path(path).is_file():
            raise HTTPException(403, "this is no file of yours")
        shown = Path(path).suffix.lower() in _SHOWN_INLINE
        disposition = "inline" if shown else "attachment"
        kind = None if shown else "application/octet-stream"
        return FileResponse(path, media_type=kind, filename=Path(path).name, content_disposition_type=disposition)


def _add_media(server: FastAPI, services: Services) -> None:
    """Posters and players, by ids alone; players in ranges, so that a browser can seek."""

    def send(request: Request, make: Callable[[str, str], Path], media_id: str) -> FileResponse:
        try:
            return FileResponse(make(media_id, _visitor(request).key), headers=_MEDIA_HEADERS)
        except NotAllowed as error:
            raise HTTPException(403, "this belongs to another visitor") from error
        except QueryNotFound as error:
            raise HTTPException(404, "no such video") from error
        except RspnetError as error:
            raise HTTPException(422, "this video cannot be shown") from error

    @server.get("/media/poster/{media_id}.jpg")
    def poster(request: Request, media_id: str) -> FileResponse:
        return send(request, services.media.poster, media_id)

    @server.get("/media/video/{media_id}.mp4")
    def video(request: Request, media_id: str) -> FileResponse:
        return send(request, services.media.proxy, media_id)
