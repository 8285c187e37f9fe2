"""Visitors are apart: what one uploads and asks is nobody else's; what a viewer may not, no way lets in."""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.serving.visitor_files import LIFETIME_SECONDS, VisitorFiles
from app.serving.visitors import Visitor
from app.session.services import Services
from tests.app.conftest import PASSWORD, Served, serving, user_file

Browsers = Callable[[str], httpx.Client]
_uploads = itertools.count()


@pytest.fixture(scope="module", params=["logins", "browsers"])
def site(
    request: pytest.FixtureRequest, services: Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, bool]]:
    """Its address, and whether there are logins."""
    logins = request.param == "logins"
    users = user_file(tmp_path_factory.mktemp("users"), alice="editor", bob="editor") if logins else None
    with serving(services, users=users) as url:
        yield url, logins


@pytest.fixture
def browsers(site: tuple[str, bool]) -> Iterator[Browsers]:
    """Open the page as another visitor: with a login each, or with a browser session each."""
    url, logins = site
    clients = []

    def open_(name: str) -> httpx.Client:
        client = httpx.Client(base_url=url, timeout=60)
        clients.append(client)
        if logins:
            assert client.post("login", data={"username": name, "password": PASSWORD}).is_success
        assert client.get("config").is_success
        return client

    yield open_
    for client in clients:
        client.close()


def upload(client: httpx.Client, video: Path, name: str = "my slide.mp4") -> str:
    answer = client.post("gradio_api/upload", files={"files": (name, video.read_bytes())})
    assert answer.status_code == 200
    return answer.json()[0]


def search(client: httpx.Client, file: str | None, video_id: str = "") -> httpx.Response:
    value = {"path": file, "meta": {"_type": "gradio.FileData"}} if file else None
    data = [value, video_id, 0, 0, 1, 2, None, None, "", "", ""]
    return client.post("gradio_api/call/search", json={"data": data})


def answer_of(client: httpx.Client, call: httpx.Response) -> str:
    return client.get(f"gradio_api/call/search/{call.json()['event_id']}").text


def test_an_upload_is_its_visitor_s_alone(browsers: Browsers, new_video: Path) -> None:
    alice, bob = browsers("alice"), browsers("bob")
    path = upload(alice, new_video)
    assert alice.get(f"gradio_api/file={path}").content == new_video.read_bytes()
    part = alice.get(f"gradio_api/file={path}", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    for stranger in (bob, httpx.Client(base_url=alice.base_url)):
        assert stranger.get(f"gradio_api/file={path}").status_code in {401, 403}
        assert search(stranger, path).status_code in {401, 403}
    assert "event: complete" in answer_of(alice, search(alice, path))


def test_the_same_video_of_two_visitors_is_shown_to_each_by_another_id(browsers: Browsers, new_video: Path) -> None:
    ids = {}
    clients = {name: browsers(name) for name in ("alice", "bob")}
    for name, client in clients.items():
        config = client.get("config").json()
        event = next(event for event in config["dependencies"] if event["api_name"] == "take")
        file = {"path": upload(client, new_video), "meta": {"_type": "gradio.FileData"}}
        body = {"data": [file], "fn_index": event["id"], "session_hash": f"{name}'s"}
        assert client.post("gradio_api/queue/join", json=body).is_success
        said = client.get("gradio_api/queue/data", params={"session_hash": f"{name}'s"}).text
        ids[name] = said.split("media/poster/")[1].split(".jpg")[0]
    assert ids["alice"] != ids["bob"]
    for name, other in (("alice", "bob"), ("bob", "alice")):
        assert clients[name].get(f"media/poster/{ids[name]}.jpg").status_code == 200
        for kind in ("poster/{}.jpg", "video/{}.mp4"):
            assert clients[other].get(f"media/{kind.format(ids[name])}").status_code == 403


def test_a_session_an_event_and_an_upload_s_progress_are_their_visitor_s(
    browsers: Browsers, services: Services
) -> None:
    alice, bob = browsers("alice"), browsers("bob")
    call = search(alice, None, services.videos(limit=1)[0].id)
    event = call.json()["event_id"]
    assert bob.get(f"gradio_api/call/search/{event}").status_code == 403
    body = {"data": [], "session_hash": "of alice", "fn_index": 0}
    alice.post("gradio_api/queue/join", json=body)
    assert bob.post("gradio_api/queue/join", json=body).status_code == 403
    for route in ("gradio_api/queue/data", "gradio_api/queue/status"):
        assert bob.get(route, params={"session_hash": "of alice"}).status_code == 403
    assert bob.get("gradio_api/heartbeat/of%20alice").status_code == 403
    ending = {"event_id": event, "session_hash": "of bob", "fn_index": 0}
    assert bob.post("gradio_api/cancel", json=ending).status_code == 403
    assert bob.post("gradio_api/reset", json={"event_id": event}).status_code == 403
    assert bob.post("gradio_api/cancel", json=ending | {"event_id": "none"}).status_code == 403
    alice.post("gradio_api/upload", params={"upload_id": "u1"}, files={"files": ("a.mp4", b"x")})
    assert bob.get("gradio_api/upload_progress", params={"upload_id": "u1"}).status_code == 403
    assert "event: complete" in answer_of(alice, call)


# What a viewer may not


def changing_events(client: httpx.Client) -> list[dict[str, Any]]:
    names = {"add_uploads", "add_folder", "end", "mend_failed", "remove"}
    found = [event for event in client.get("config").json()["dependencies"] if event["api_name"] in names]
    assert {event["api_name"] for event in found} == names
    return found


def run(client: httpx.Client, event: dict[str, Any], data: list[Any], *, by_name: bool) -> str:
    session = f"{event['id']} {by_name} {time.monotonic()}"
    body = {"data": data, "fn_index": event["id"], "session_hash": session}
    if by_name:
        call = client.post(f"gradio_api/call/{event['api_name']}", json={"data": data})
        return client.get(f"gradio_api/call/{event['api_name']}/{call.json()['event_id']}").text
    assert client.post("gradio_api/queue/join", json=body).is_success
    return client.get("gradio_api/queue/data", params={"session_hash": session}).text


@pytest.mark.parametrize("by_name", [True, False], ids=["by name", "by number"])
def test_a_viewer_adds_and_stops_nothing(own_library: Path, new_video: Path, tmp_path: Path, by_name: bool) -> None:
    users = user_file(tmp_path, vera="viewer", ed="editor")
    with Services(own_library, device="cpu") as services, serving(services, users=users) as url:
        with httpx.Client(base_url=url, timeout=60) as vera, httpx.Client(base_url=url, timeout=60) as ed:
            for client, name in ((vera, "vera"), (ed, "ed")):
                client.post("login", data={"username": name, "password": PASSWORD})
            files = {
                client: [{"path": upload(client, new_video), "meta": {"_type": "gradio.FileData"}}]
                for client in (vera, ed)
            }
            first = services.videos(limit=1)[0].id
            data = {"add_folder": [str(own_library)], "end": [], "mend_failed": [0], "remove": [first, 0]}
            for event in changing_events(vera):
                said = run(vera, event, data.get(event["api_name"], [files[vera]]), by_name=by_name)
                assert "only an editor may change the library" in said
                assert services.builder.status.phase == "idle"
                assert not (own_library / "uploads").exists()
                assert len(services.videos()) == 4
            adding = next(event for event in changing_events(ed) if event["api_name"] == "add_uploads")
            run(ed, adding, [files[ed]], by_name=by_name)
            assert services.builder.wait(120).indexed == 1
        # Searching, comparing and reading stay a viewer's right.
        with httpx.Client(base_url=url, timeout=60) as vera:
            vera.post("login", data={"username": "vera", "password": PASSWORD})
            assert "event: complete" in answer_of(vera, search(vera, None, services.videos(limit=1)[0].id))


def test_strangers_are_viewers_where_the_server_says_so(services: Services, data: Path) -> None:
    with (
        serving(services, strangers="viewer") as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        event = next(event for event in changing_events(client) if event["api_name"] == "add_folder")
        assert "only an editor" in run(client, event, [str(data)], by_name=False)


# Limits


class SmallVisitor(httpx.Client):
    """A visitor of an app that keeps 1 MB for each."""

    folder: Path

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def small_app(index: Path) -> Iterator[Served]:
    with Services(index, device="cpu", max_upload_bytes=10**6) as services, serving(services) as url:
        yield Served(url, services)


@pytest.fixture
def small(small_app: Served) -> Iterator[SmallVisitor]:
    with SmallVisitor(base_url=small_app.url, timeout=60) as client:
        client.folder = small_app.services.files.folder
        client.get("config")
        yield client
    small_app.services.files.sweep(older_than_seconds=-1)  # what others kept counts against all


def test_a_visitor_has_a_limit_while_it_arrives(small: SmallVisitor) -> None:
    assert small.post("gradio_api/upload", files={"files": ("a.mp4", bytes(600_000))}).status_code == 200
    assert small.post("gradio_api/upload", files={"files": ("b.mp4", bytes(600_000))}).status_code == 413
    assert small.kept() == ["a.mp4"]

    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="c.mp4"\r\n\r\n'
        for _ in range(1000):
            sent += 100_000
            yield bytes(100_000)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = small.post("gradio_api/upload", content=endless(), headers=headers)
        assert answer.status_code == 413
        assert "limited to 1 MB a visitor" in answer.json()["detail"]
    except (httpx.WriteError, httpx.ReadError):  # hung up on while it was sending: as good
        pass
    assert sent < 60_000_000
    assert small.kept() == ["a.mp4"]
    with httpx.Client(base_url=small.base_url) as other:
        assert other.post("gradio_api/upload", files={"files": ("d.mp4", bytes(600_000))}).status_code == 200


def test_all_visitors_together_have_a_limit(small: SmallVisitor) -> None:
    statuses = []
    for _ in range(12):
        with httpx.Client(base_url=small.base_url) as client:
            answer = client.post("gradio_api/upload", files={"files": ("a.mp4", bytes(900_000))})
            statuses.append(answer.status_code)
    assert statuses == [200] * 11 + [503]
    assert answer.headers["retry-after"] == "600"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x", "text/plain"),
        (b"x", "multipart/form-data"),
        (b"--x\r\n\r\nx", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nfield\r\n--x--', "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n', "multipart/form-data; boundary=x"),
    ],
)
def test_what_is_no_upload_is_refused_and_leaves_nothing(small: SmallVisitor, body: bytes, kind: str) -> None:
    for query in ({}, {"upload_id": f"u{next(_uploads)}"}):
        answer = small.post("gradio_api/upload", content=body, headers={"Content-Type": kind}, params=query)
        assert (answer.status_code, small.kept()) == (400, [])


@pytest.mark.parametrize(
    "name", ["../../x.mp4", "/etc/x.mp4", "..", ".", "", "a/b.mp4", "\\..\\x.mp4", "x" * 300, "-rf", "é中.mp4"]
)
def test_a_name_stays_inside(small: SmallVisitor, name: str) -> None:
    answer = small.post("gradio_api/upload", files={"files": (name or " ", b"x")})
    assert answer.status_code == 200
    (path,) = answer.json()
    assert os.path.realpath(path) == path
    assert Path(path).is_relative_to(small.folder)
    assert small.get(f"gradio_api/file={path}").content == b"x"


@pytest.mark.parametrize("name", ["page.html", "x.svg", "script.js", "x"])
def test_what_a_browser_could_run_is_only_saved(small: SmallVisitor, name: str) -> None:
    path = small.post("gradio_api/upload", files={"files": (name, b"<script>alert(1)</script>")}).json()[0]
    answer = small.get(f"gradio_api/file={path}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_uploads_go_after_an_hour_and_at_the_end() -> None:
    clock = [0.0]
    files = VisitorFiles(now=lambda: clock[0])
    visitor = Visitor("a" * 32, "viewer")
    old = files.keep(visitor, "old.mp4", b"old")
    clock[0] += LIFETIME_SECONDS
    young = files.keep(visitor, "young.mp4", b"young")
    poster = files.made / "q.jpg"
    poster.write_bytes(b"of an upload")
    clock[0] += 1
    files.sweep()
    assert (Path(old).exists(), Path(young).exists(), poster.exists()) == (False, True, True)
    clock[0] += LIFETIME_SECONDS
    files.sweep(older_than_seconds=-1)
    assert not Path(young).parent.parent.exists()
    assert not poster.exists()
    files.keep(visitor, "last.mp4", b"last")
    files.close()
    assert not files.folder.exists()


def test_a_session_s_query_that_has_gone_says_so(own_library: Path, new_video: Path, serve) -> None:
    served: Served = serve(own_library)
    with httpx.Client(base_url=served.url, timeout=60) as client:
        client.get("config")
        path = upload(client, new_video)
        served.services.files.sweep(older_than_seconds=-1)
        said = answer_of(client, search(client, path))
        assert "the file is not here any more; choose it again" in json.loads(said.split("data: ")[1])["error"]
