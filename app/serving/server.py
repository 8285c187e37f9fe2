"""The page and its media behind one address: Gradio, with the posters and players beside it."""

import hmac
import logging
import os
from asyncio import CancelledError
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse
from gradio.routes import App
from starlette.routing import Mount

from app.main import create_app
from app.services import Services
from app.theme import CSS, HEAD, theme
from app.uploads import MAX_UPLOAD_BYTES
from rspnet_core.errors import InvalidSetting, QueryNotFound, RspnetError

Credentials = dict[str, str]
"""User to password."""

_HEADERS = {
    "Cache-Control": "private, max-age=300",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}


def read_credentials(path: Path) -> Credentials:
    """Lines of ``user:password``. Raises InvalidSetting, naming a line but never what stands in it."""
    try:
        if path.stat().st_mode & 0o004:
            raise InvalidSetting(f"{path} can be read by everyone; run `chmod 600 {path}`")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"the file of users {path} cannot be read; it has lines of user:password") from error
    credentials = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        user, colon, password = line.partition(":")
        if not (user and colon and password):
            raise InvalidSetting(f"line {number} of {path} is not user:password")
        credentials[user] = password
    if not credentials:
        raise InvalidSetting(f"{path} names no user; write lines of user:password into it")
    return credentials


def configure(server: FastAPI) -> uvicorn.Config:
    """How it is served: an open page, which listens for ever, does not keep the server from ending."""
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    return uvicorn.Config(server, log_level="warning", timeout_graceful_shutdown=1)


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """False for what is logged of pages that were open at the end."""
    cancelled = record.exc_info is not None and isinstance(record.exc_info[1], CancelledError)
    return not cancelled and "timeout graceful shutdown" not in record.getMessage()


def create_server(services: Services, *, credentials: Credentials | None = None) -> FastAPI:
    """An ASGI application: ``/`` is the page, ``/media/...`` the pictures, ``/health`` for monitors."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    server.add_api_route("/health", lambda: {"status": "ok"})
    page: list[App] = []
    _add_media(server, services, lambda request: credentials is None or _is_logged_in(page[0], request))
    gr.mount_gradio_app(
        server,
        create_app(services),
        path="/",
        auth=_checker(credentials) if credentials else None,
        show_error=False,
        max_file_size=MAX_UPLOAD_BYTES,
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        theme=theme(),
        css=CSS,
        head=HEAD,
    )
    page.extend(route.app for route in server.routes if isinstance(route, Mount) and isinstance(route.app, App))
    return server


def _checker(credentials: Credentials) -> Callable[[str, str], bool]:
    def is_right(user: str, password: str) -> bool:
        expected = credentials.get(user, "")
        same = hmac.compare_digest(expected.encode(), password.encode())
        return same and user in credentials

    return is_right


def _is_logged_in(page: App, request: Request) -> bool:
    """Whether the page has let this visitor in: the media are behind its login as well."""
    cookies = (f"access-token-{page.cookie_id}", f"access-token-unsecure-{page.cookie_id}")
    return any(request.cookies.get(name) in page.tokens for name in cookies)


def _add_media(server: FastAPI, services: Services, is_welcome: Callable[[Request], bool]) -> None:
    """Posters and players, by ids alone; players in ranges, so that a browser can seek."""

    def send(request: Request, make: Callable[[str], Path], media_id: str) -> FileResponse:
        if not is_welcome(request):
            raise HTTPException(401, "log in first")
        try:
            return FileResponse(make(media_id), headers=_HEADERS)
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
