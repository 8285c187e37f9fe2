"""The table of routes is the app's own: every route stands in it, and answers those who may use it and no others."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.server import create_server
from app.serving.access import GRADIO, OURS, TABLE, Route, Who, find_route
from app.session.services import Services
from tests.app.conftest import PASSWORD, serving, user_file


def routes_of(router: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route of an application, its mounted and included ones too."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included, prefix)
        elif hasattr(route, "methods"):
            yield from ((method, prefix + route.path) for method in route.methods)
        else:
            yield from routes_of(route, prefix + route.path.rstrip("/"))


def test_every_route_stands_in_the_table_and_nothing_else_does(services: Services) -> None:
    found = set(routes_of(create_server(services).app))
    assert len(found) > 80
    of_the_gate = {("GET", "/healthz"), ("GET", "/readyz")}
    assert found | of_the_gate == {(route.method, route.path) for route in TABLE}


@pytest.fixture(scope="module")
def url(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(services, users=user_file(tmp_path_factory.mktemp("users"), ada="editor")) as url:
        yield url


def ask(client: httpx.Client, route: Route) -> int:
    """The status of an answer; what streams is not read."""
    path = route.path
    for name in (
        "{path:path}",
        "{path_or_url:path}",
        "{url_path:path}",
        "{api_name}",
        "{event_id}",
        "{session_hash}",
        "{media_id}",
    ):
        path = path.replace(name, "x")
    for name in ("{id}", "{environment}", "{type}", "{file_name}", "{run}", "{segment_id}", "{ext}", "{size}", "{key}"):
        path = path.replace(name, "1")
    path = path.replace("{component_id}", "1")
    assert "{" not in path
    json = {} if route.method == "POST" else None
    with client.stream(route.method, path, json=json) as answer:
        return answer.status_code


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.path} {route.who.value}")
def test_without_a_login_only_what_is_for_anyone_answers(url: str, route: Route) -> None:
    with httpx.Client(base_url=url) as client:
        status = ask(client, route)
    if route.who is Who.ANYONE:
        assert status == (400 if route.method == "POST" else 200)
    else:
        assert status in {401, 405}


def test_a_visitor_reaches_what_is_for_visitors_alone(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        assert client.post("login", data={"username": "ada", "password": PASSWORD}).is_success
        statuses = {route: ask(client, route) for route in TABLE if route.path != "/logout"}
    for route, status in statuses.items():
        if route.who is Who.NOBODY:
            assert (route, status) == (route, 404)
        else:
            assert status in {200, 400, 403, 404, 422}, route
    open_ones = {route.path for route, status in statuses.items() if status == 200 and route.who is Who.VISITOR}
    assert {"/", "/config", "/page.js", "/gradio_api/info", "/gradio_api/queue/status"} <= open_ones


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"), ("GET", "/CONFIG"), ("GET", "/config%00"), ("GET", "/config/x"), ("GET", "/media/x"),
        ("PUT", "/gradio_api/upload"), ("DELETE", "/config"), ("OPTIONS", "/gradio_api/queue/join"),
        ("POST", "/"), ("TRACE", "/"), ("GET", "/gradio_api/queue/join"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_table_is_not_served(url: str, method: str, path: str) -> None:
    with httpx.Client(base_url=url) as client:
        assert client.request(method, path).status_code in {401, 404}
        client.post("login", data={"username": "ada", "password": PASSWORD})
        assert client.request(method, path).status_code in {401, 404}


def test_the_first_row_that_fits_decides() -> None:
    assert find_route("GET", "/gradio_api/file=/etc/passwd") in OURS
    assert find_route("GET", "/gradio_api/call/v2/search/e1") in GRADIO
    assert find_route("POST", "/gradio_api/run/search").who is Who.NOBODY  # type: ignore[union-attr]
    assert find_route("PATCH", "/config") is None
