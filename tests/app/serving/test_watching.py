"""What the server says of itself: figures for Prometheus, and lines of log."""

import io
import json
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.cli.main import _address, _serving_figures
from app.serving.logs import set_up_logs
from app.serving.metrics import Metrics
from rspnet_core.errors import InvalidSetting, VideoError
from tests.app.conftest import Served, rspnet_app
from tests.app.serving.test_media import wait_for


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        client.get("config")
        yield client


def figures(metrics: Metrics) -> dict[str, float]:
    """Each sample by name and labels, as Prometheus reads them from the server of figures."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with _serving_figures(metrics, ("127.0.0.1", port)):
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")
    return {
        f"{sample.name} {' '.join(sample.labels.values())}".strip(): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_events_and_stages_are_counted(client: httpx.Client, served: Served, new_video: Path) -> None:
    before = figures(served.services.metrics)
    with new_video.open("rb") as file:
        path = client.post("gradio_api/upload", files={"files": (f"of {__name__}.mp4", file.read() + bytes(7))}).json()[
            0
        ]
    value = {"path": path, "meta": {"_type": "gradio.FileData"}}
    body = {"data": [value, "", 0, 0, 1, 2, None, None, "", "", ""]}
    event = client.post("gradio_api/call/search", json=body).json()["event_id"]
    assert "event: complete" in client.get(f"gradio_api/call/search/{event}").text
    assert client.get("made/up/by/a/client").status_code == 404
    after = figures(served.services.metrics)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown("rspnet_requests_total POST /gradio_api/upload 200") == 1
    assert grown("rspnet_requests_total GET none 404") == 1
    assert not any("made/up" in name for name in after)
    assert grown("rspnet_events_total taken") == 1
    for stage in ("decode", "encode", "search"):
        assert grown(f"rspnet_stage_seconds_count {stage}") == 1
    assert after["rspnet_queue_waiting"] == 0
    assert after["process_resident_memory_bytes"] > 10**8


def test_a_stage_that_fails_is_counted_as_failed() -> None:
    metrics = Metrics()
    with pytest.raises(VideoError), metrics.stage("decode"):
        raise VideoError("damaged")
    assert figures(metrics)["rspnet_failures_total decode"] == 1


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged as JSON; the loggers are as before afterwards."""
    root, requests = logging.getLogger(), logging.getLogger("rspnet.app.requests")
    kept = root.handlers[:], root.level, requests.level
    text = io.StringIO()
    monkeypatch.setattr(sys, "stderr", text)
    for handler in kept[0]:
        root.removeHandler(handler)
    set_up_logs(as_json=True)
    yield text
    root.handlers[:], root.level = kept[0], kept[1]
    requests.setLevel(kept[2])


def test_each_request_is_a_line_of_json_with_its_id(client: httpx.Client, written: io.StringIO) -> None:
    answer = client.get("media/poster/0000000000000000.jpg", params={"secret": "hunter2"})
    request_id = answer.headers["x-request-id"]
    wait_for(lambda: request_id in written.getvalue())  # it is written when the answer has been sent
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (line,) = [line for line in lines if line["request_id"] == request_id]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/media/poster/{media_id}.jpg", 404)
    assert (line["level"], line["logger"], line["user"]) == ("INFO", "rspnet.app.requests", None)
    assert line["seconds"] >= 0
    assert "hunter2" not in written.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("9090", ("127.0.0.1", 9090)), ("0.0.0.0:1", ("0.0.0.0", 1)), ("[::1]:9090", ("::1", 9090))],
)
def test_where_figures_are_served(text: str, expected: tuple[str, int]) -> None:
    assert _address(text) == expected


@pytest.mark.parametrize("text", ["", "x", "127.0.0.1", "0", "65536", "127.0.0.1:", ":-1"])
def test_what_is_no_address_of_figures_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="PORT or HOST:PORT"):
        _address(text)


def test_a_taken_port_of_figures_is_told() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(InvalidSetting, match="--metrics: cannot listen on"),
        _serving_figures(Metrics(), taken.getsockname()),
    ):
        pass


@pytest.mark.parametrize("site", ["example.org", "https://a.example/path", "https://a; script-src *", "*"])
def test_what_is_no_site_to_embed_in_is_refused(built: Path, site: str) -> None:
    done = rspnet_app("serve", "--index", built, "--embed-in", site)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "https://example.org" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--trusted-proxy", "proxy.example", "got 'proxy.example', allowed are addresses and networks"),
        ("--trusted-proxy", "127.0.0.1,10.0.0.1/8", "got '10.0.0.1/8', allowed are addresses and networks"),
        ("--folder", "/not/there", "--folder /not/there: no such folder"),
    ],
)
def test_what_would_never_be_obeyed_is_refused_at_once(tmp_path: Path, option: str, value: str, says: str) -> None:
    done = rspnet_app("serve", "--index", tmp_path / "nothing", option, value)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert says in done.stderr
