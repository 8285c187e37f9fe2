"""The table of routes and who may use them. What does not stand here is not served.

Gradio brings some ninety routes; the page and its endpoints need these. Roles are told apart by the functions
themselves (``Visitor.must_be_editor``), as one route serves all events.
"""

from dataclasses import dataclass
from enum import Enum

from starlette.routing import compile_path


class Who(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    """Without a login."""
    VISITOR = "visitor"
    """A user who has logged in; everyone where there are no logins."""
    NOBODY = "nobody"


@dataclass(frozen=True)
class Route:
    """One row of the table."""

    method: str
    path: str
    """As Starlette writes it: ``{name}`` for one part of the path, ``{name:path}`` for the rest of it."""
    who: Who
    is_json: bool = False
    """A JSON document is sent to it, which the gate reads first."""

    def part(self, path: str, name: str) -> str | None:
        """What stands in a request's path where the route has ``name``; None where it has no such part."""
        names = self.path.rstrip("/").split("/")
        return path.split("/")[names.index(name)] if name in names else None


def _get(who: Who, *paths: str) -> tuple[Route, ...]:
    return tuple(Route("GET", path, who) for path in paths)


def _post(who: Who, *paths: str, is_json: bool = True) -> tuple[Route, ...]:
    return tuple(Route("POST", path, who, is_json) for path in paths)


OURS = (
    *_get(Who.ANYONE, "/healthz", "/readyz", "/robots.txt", "/login"),
    *_post(Who.ANYONE, "/login", is_json=False),
    *_post(Who.VISITOR, "/logout", "/gradio_api/upload", is_json=False),
    *_get(Who.VISITOR, "/page.js", "/media/poster/{media_id}.jpg", "/media/video/{media_id}.mp4"),
    Route("HEAD", "/gradio_api/file={path_or_url:path}", Who.VISITOR),
    *_get(Who.VISITOR, "/gradio_api/file={path_or_url:path}"),
)
"""Answered by this package, before Gradio sees the request."""

GRADIO = (
    *_get(Who.VISITOR, "/", "/config", "/config/", "/theme.css", "/favicon.ico", "/manifest.json"),
    Route("HEAD", "/", Who.VISITOR),
    *_get(Who.VISITOR, "/static/{path:path}", "/assets/{path:path}"),
    *_get(Who.VISITOR, "/gradio_api/info", "/gradio_api/info/", "/gradio_api/openapi.json"),
    *_get(Who.VISITOR, "/gradio_api/app_id", "/gradio_api/app_id/"),
    *_get(Who.VISITOR, "/gradio_api/upload_progress", "/gradio_api/heartbeat/{session_hash}"),
    *_post(Who.VISITOR, "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/reset/"),
    *_get(Who.VISITOR, "/gradio_api/queue/data", "/gradio_api/queue/status"),
    *_post(Who.VISITOR, "/gradio_api/call/v2/{api_name}", "/gradio_api/call/v2/{api_name}/"),
    *_post(Who.VISITOR, "/gradio_api/call/{api_name}", "/gradio_api/call/{api_name}/"),
    *_get(Who.VISITOR, "/gradio_api/call/v2/{api_name}/{event_id}", "/gradio_api/call/{api_name}/{event_id}"),
)
"""What the page and its endpoints need of Gradio."""

CLOSED = (
    # calls that pass by the bounded queue
    *_post(Who.NOBODY, "/gradio_api/run/{api_name}", "/gradio_api/run/{api_name}/"),
    *_post(Who.NOBODY, "/gradio_api/api/{api_name}", "/gradio_api/api/{api_name}/"),
    # Gradio's own logins and tokens
    *_get(Who.NOBODY, "/logout", "/gradio_api/user", "/gradio_api/user/", "/gradio_api/token", "/gradio_api/token/"),
    *_get(Who.NOBODY, "/gradio_api/login_check", "/gradio_api/login_check/"),
    *_post(Who.NOBODY, "/login/"),
    # other ways to files and to other servers
    *_get(Who.NOBODY, "/gradio_api/file/{path:path}", "/gradio_api/proxy={url_path:path}", "/gradio_api/deep_link"),
    Route("HEAD", "/gradio_api/proxy={url_path:path}", Who.NOBODY),
    *_get(Who.NOBODY, "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}", "/svelte/{path:path}"),
    *_get(Who.NOBODY, "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8"),
    *_get(Who.NOBODY, "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file"),
    *_get(Who.NOBODY, "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}"),
    *_post(Who.NOBODY, "/gradio_api/stream/{event_id}", "/gradio_api/stream/{event_id}/close"),
    *_post(Who.NOBODY, "/gradio_api/component_server", "/gradio_api/component_server/"),
    *_post(Who.NOBODY, "/gradio_api/process_recording"),
    # what develops and watches a Gradio app
    Route("HEAD", "/openapi.json", Who.NOBODY),
    *_get(Who.NOBODY, "/gradio_api/startup-events", "/gradio_api/theme.css"),
    *_get(Who.NOBODY, "/openapi.json", "/gradio_api/dev/reload", "/gradio_api/runs", "/gradio_api/runs/"),
    *_get(Who.NOBODY, "/monitoring", "/monitoring/summary", "/monitoring/{key}", "/pwa_icon", "/pwa_icon/{size}"),
    *_get(Who.NOBODY, "/gradio_api/vibe-code", "/gradio_api/vibe-code/"),
    *_post(Who.NOBODY, "/gradio_api/vibe-code", "/gradio_api/vibe-code/"),
    *_post(Who.NOBODY, "/gradio_api/vibe-edit", "/gradio_api/vibe-edit/"),
    *_post(Who.NOBODY, "/gradio_api/undo-vibe-edit", "/gradio_api/undo-vibe-edit/"),
    *_post(Who.NOBODY, "/gradio_api/vibe-starter-queries", "/gradio_api/vibe-starter-queries/"),
)
"""Gradio's other routes: named so that a test tells when a new version brings more."""

TABLE = (*OURS, *GRADIO, *CLOSED)
_COMPILED = tuple((route, compile_path(route.path)[0]) for route in TABLE)


def find_route(method: str, path: str) -> Route | None:
    """The first row that fits; None for what does not stand in the table."""
    for route, pattern in _COMPILED:
        if route.method == method and pattern.match(path):
            return route
    return None


def needs_no_login(path: str) -> bool:
    """Whether some method of this path is for anyone."""
    return any(route.who is Who.ANYONE and pattern.match(path) for route, pattern in _COMPILED)
