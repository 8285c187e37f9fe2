"""Logging in and out: a page without a script, and the same for programs that send its form."""

import asyncio
import math
import secrets
from importlib.resources import files
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment
from starlette.datastructures import MutableHeaders

from app.serving.sessions import COOKIE, Sessions, set_cookie
from app.serving.throttle import Throttle
from app.serving.users import UserFile, is_password

_LONGEST_FORM_BYTES = 8192
_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_template = Environment(autoescape=True).from_string((files(__package__) / "login.html").read_text("utf-8"))


def add_login(server: FastAPI, sessions: Sessions, throttle: Throttle) -> None:
    """Register the routes; without a file of users there is nothing to log in to."""
    users = sessions.users

    @server.get("/login")
    def page(request: Request) -> Response:
        return _page(request) if users else _to_the_app(request)

    @server.post("/login")
    async def log_in(request: Request) -> Response:
        if users is None:
            return _to_the_app(request)
        form = await _form(request)
        if form is None:
            return _refused(request, 400, "Send the form's username and password.")
        return await _log_in(request, form, users, sessions, throttle)

    @server.post("/logout")
    def log_out(request: Request) -> Response:
        sessions.close(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("login" if users else "./", 303)
        set_cookie(MutableHeaders(raw=answer.raw_headers), "", secure=request.url.scheme == "https")
        return answer


async def _log_in(
    request: Request, form: tuple[str, str], users: UserFile, sessions: Sessions, throttle: Throttle
) -> Response:
    name, password = form
    address = request.client.host if request.client else ""
    if wait := throttle.wait_seconds(name, address):
        seconds = math.ceil(wait)
        unit = "second" if seconds == 1 else "seconds"
        answer = _refused(request, 429, f"Too many failed logins. Try again in {seconds} {unit}.")
        answer.headers["Retry-After"] = str(seconds)
        return answer
    throttle.failed(name, address)  # counted before the answer is known: guesses side by side must not slip through
    user = await asyncio.to_thread(users.find, name)
    if not await asyncio.to_thread(is_password, user, password) or user is None:
        return _refused(request, 401, "The name or the password is wrong.")
    throttle.succeeded(name, address)
    sessions.close(request.cookies.get(COOKIE, ""))
    token = sessions.open(user.name, user.password_hash)
    answer = _to_the_app(request) if _wants_page(request) else JSONResponse({"success": True})
    set_cookie(MutableHeaders(raw=answer.raw_headers), token, secure=request.url.scheme == "https")
    return answer


async def _form(request: Request) -> tuple[str, str] | None:
    """Name and password of an urlencoded form; None for anything else."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM_BYTES:
            return None
    try:
        values = parse_qs(bytes(body).decode("ascii"), strict_parsing=True, max_num_fields=8)
    except ValueError:  # UnicodeDecodeError too
        return None
    name, password = values.get("username", [""])[0].strip(), values.get("password", [""])[0]
    return (name, password) if name and password else None


def _page(request: Request, message: str = "", status: int = 200) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    html = _template.render(nonce=nonce, message=message, query=request.url.query)
    return HTMLResponse(html, status, headers={"Content-Security-Policy": _POLICY.format(nonce=nonce)})


def _refused(request: Request, status: int, message: str) -> Response:
    return _page(request, message, status) if _wants_page(request) else JSONResponse({"detail": message}, status)


def _to_the_app(request: Request) -> Response:
    """To the page, with the search that was asked for: always this app's own."""
    return RedirectResponse("./" + (f"?{request.url.query}" if request.url.query else ""), 303)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
