"""No request makes the server read a file that its sender did not upload: every event, every input, every way in.

The page's events are taken from the page, so a new tab is tried without being named here. The kernel says whether the
planted file was opened, by the server or by any process that it started.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from gradio_client import Client
from gradio_client.client import Endpoint

from app.session.services import Services
from tests.app.conftest import PASSWORD, serving, user_file
from tests.app.serving.opens import Opens

SECRET = "planted: the server's own"
META = {"_type": "gradio.FileData"}
_sessions = itertools.count()


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    path = tmp_path / "planted.mp4"
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="module", params=["no logins", "viewer", "editor"])
def visitor(
    request: pytest.FixtureRequest, services: Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A browser that has opened the page, logged in where there are logins."""
    logins = request.param != "no logins"
    users = user_file(tmp_path_factory.mktemp("users"), eve=request.param) if logins else None
    with serving(services, users=users) as url, httpx.Client(base_url=url, timeout=60) as client:
        if logins:
            assert client.post("login", data={"username": "eve", "password": PASSWORD}).is_success
        assert client.get("config").is_success
        yield client


one_visitor = pytest.mark.parametrize("visitor", ["viewer"], indirect=True)


def file_value(path: object, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "meta": META, **more}


def events_of(client: httpx.Client) -> list[dict[str, Any]]:
    return [event for event in client.get("config").json()["dependencies"] if event["backend_fn"]]


def ways_in(client: httpx.Client, event: dict[str, Any], data: list[Any]) -> Iterator[httpx.Response]:
    """Send an event's values by each route that takes any."""
    body = {"data": data, "fn_index": event["id"], "session_hash": f"s{next(_sessions)}"}
    name = event["api_name"]
    for route in (f"run/{name}", f"run/{name}/", f"api/{name}", f"call/{name}", f"call/{name}/", "queue/join"):
        yield client.post(f"gradio_api/{route}", json=body)
    yield client.post(f"gradio_api/call/v2/{name}", json={f"p{number}": value for number, value in enumerate(data)})


def tricks(planted: Path, home: Path) -> list[Any]:
    """Other ways to say the same file; ``home`` is the folder of an upload of the visitor's own."""
    link, folder_link = home / "link.mp4", home / "up"
    link.symlink_to(planted)
    folder_link.symlink_to(planted.parent)
    up = "../" * 12 + str(planted).lstrip("/")
    paths = [
        f"{home}/{up}", f"{home}/./{up}", f"{home}//{up}", str(home / "link.mp4"), str(folder_link / planted.name),
        f"file://{planted}", f"file:{planted}", quote(str(planted), safe=""), str(planted).replace("/", "%2f"),
        f"/gradio_api/file={planted}", f"gradio_api/proxy=file://{planted}", os.path.relpath(planted), f"//{planted}",
        f"/proc/self/root{planted}", f"{planted}\0.mp4", f"{home}\0/{up}", str(planted).upper(), f"~/{up}",
        f"http://127.0.0.1:9/{planted}",
    ]  # fmt: skip
    good = file_value(planted)
    shapes = [
        [good], [[good]], {"value": good}, {"a": {"b": [1, {"c": good}]}}, {"path": str(planted)},
        {"path": str(planted), "meta": {}}, {"path": str(planted), "meta": META, "url": f"/gradio_api/file={planted}"},
        file_value(planted, is_stream=True), file_value(planted, orig_name="x.mp4", mime_type="video/mp4", size=1),
        {"path": [str(planted)], "meta": META}, {"path": {"path": str(planted)}, "meta": META},
        {"video": good, "subtitles": good}, {"files": [good], "text": ""}, {"value": good, "__type__": "update"},
        {"background": good, "layers": [good], "composite": good}, {"name": str(planted), "is_file": True},
        {"path": None, "url": str(planted), "meta": META}, str(planted), json.dumps(good),
    ]  # fmt: skip
    return [*(file_value(path) for path in paths), *shapes]


def settle(client: httpx.Client, answers: list[httpx.Response]) -> str:
    """Everything that the server said, with the ends of the events that it took in."""
    said = []
    for answer in answers:
        said.append(answer.text)
        event = answer.json().get("event_id") if answer.is_success else None
        if event:
            said.append(client.get(f"gradio_api/call/any/{event}", timeout=60).text)
    return "\n".join(said)


@pytest.mark.slow
def test_every_input_of_every_event_by_every_way(visitor: httpx.Client, planted: Path) -> None:
    events = events_of(visitor)
    inputs = [(event, number) for event in events for number in range(len(event["inputs"]))]
    assert len(events) > 30
    assert len(inputs) > 100
    answers = []
    with Opens(planted) as opens:
        for event, number in inputs:
            data: list[Any] = [None] * len(event["inputs"])
            data[number] = file_value(planted)
            answers += ways_in(visitor, event, data)
        assert opens.count() == 0
    assert {answer.status_code for answer in answers} <= {403, 404}
    assert not any(str(planted) in answer.text or SECRET in answer.text for answer in answers)


@pytest.mark.slow
@one_visitor
def test_tricks_in_all_inputs_at_once(visitor: httpx.Client, planted: Path) -> None:
    upload = visitor.post("gradio_api/upload", files={"files": ("own.mp4", b"own")}).json()[0]
    events = events_of(visitor)
    with Opens(planted) as opens:
        for value in tricks(planted, Path(upload).parent):
            for event in events:
                data = [value] * len(event["inputs"])
                body = {"data": data, "fn_index": event["id"], "session_hash": f"t{event['id']}"}
                answer = visitor.post("gradio_api/queue/join", json=body)
                said = settle(visitor, [answer])
                assert SECRET not in said
                assert str(planted) not in said
        assert opens.count() == 0


@one_visitor
def test_tricks_in_the_rest_of_a_document(visitor: httpx.Client, planted: Path) -> None:
    """Event data, trigger and unknown members are read by nobody as files."""
    with Opens(planted) as opens:
        for event in events_of(visitor):
            body = {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "session_hash": "rest"}
            for more in ({"event_data": file_value(planted)}, {"trigger_id": file_value(planted)}, file_value(planted)):
                assert visitor.post("gradio_api/queue/join", json=body | more).status_code == 403
        assert opens.count() == 0


SPOILT: dict[str, Callable[[str], bytes]] = {
    "utf-16": lambda text: text.encode("utf-16"),
    "byte order mark": lambda text: text.encode("utf-8-sig"),
    "escaped key": lambda text: text.replace('"path"', '"p\\u0061th"').encode(),
    "key twice": lambda text: text.replace('{"path"', '{"path": null, "path"').encode(),
    "other twice": lambda text: text.replace('"meta"', '"path": "x", "meta"').encode(),
    "deep": lambda text: ('{"a":' * 5000 + text + "}" * 5000).encode(),
    "deeper": lambda text: ("[" * 100_000 + text + "]" * 100_000).encode(),
    "long": lambda text: text.encode() + b" " * 2**20,
}


@one_visitor
def test_a_document_is_read_once(visitor: httpx.Client, planted: Path) -> None:
    """What the gate has understood is what goes on: no second reader sees another document."""
    event = next(event for event in events_of(visitor) if event["api_name"] == "search")
    data: list[Any] = [file_value(planted), *[None] * (len(event["inputs"]) - 1)]
    text = json.dumps({"data": data, "fn_index": event["id"], "session_hash": "once"})
    with Opens(planted) as opens:
        for name, spoil in SPOILT.items():
            for kind in ("application/json", "text/plain", "application/x-binary", "multipart/form-data; boundary=x"):
                headers = {"Content-Type": kind}
                answer = visitor.post("gradio_api/queue/join", content=spoil(text), headers=headers)
                assert answer.status_code in {400, 403, 413}, name
        assert opens.count() == 0


def test_the_client_library_cannot_either(services: Services, planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that names a file where it would upload its own."""
    monkeypatch.setattr(Endpoint, "_upload_file", lambda self, value, data_index: value)
    with serving(services) as url, Opens(planted) as opens:
        client = Client(url, verbose=False)
        for endpoint in client.endpoints.values():
            number_of_inputs = len(client.config["dependencies"][endpoint.fn_index]["inputs"])
            with pytest.raises(Exception, match=r"."):
                client.submit(*[file_value(planted)] * number_of_inputs, fn_index=endpoint.fn_index).result(timeout=30)
        assert opens.count() == 0


def test_files_are_fetched_by_who_uploaded_them_alone(visitor: httpx.Client, planted: Path) -> None:
    upload = Path(visitor.post("gradio_api/upload", files={"files": ("own.mp4", b"own")}).json()[0])
    assert visitor.get(f"gradio_api/file={upload}").content == b"own"
    with Opens(planted) as opens:
        for value in tricks(planted, upload.parent):
            path = value["path"] if isinstance(value, dict) and isinstance(value.get("path"), str) else str(planted)
            for sent in (path, quote(path, safe=""), quote(path)):
                for route in ("file=", "file/", "proxy=", "stream/"):
                    answer = visitor.get(f"gradio_api/{route}{sent}".replace("\0", "%00"))
                    assert answer.status_code in {403, 404}
                    assert SECRET not in answer.text
        assert opens.count() == 0
