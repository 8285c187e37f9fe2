import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.cli.main import _run_until_stopped
from app.session.services import Services
from indexer.ingest.build import build_library
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import RspnetError
from tests import prepared
from tests.app.conftest import Served, rspnet_app
from tests.indexer.retrieval.test_playback import told


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    return Client(served.url, verbose=False)


def test_search_by_a_file_answers_the_documented_document(client: Client, services: Services, new_video: Path) -> None:
    found = client.predict(file=handle_file(str(new_video)), motion=0.7, backbone=0, top=3, api_name="/search")
    expected = services.library.search(new_video, top=3, weights=PartWeights(motion=0.7, backbone=0), moments=True)
    assert found["encoder"] == json.loads(json.dumps(expected.encoder))
    assert [hit["id"] for hit in found["hits"]] == [hit.id for hit in expected]
    assert set(found["hits"][0]) == set(expected.to_json()["hits"][0]) - {"path"} | {"file"}
    assert expected[0].path.endswith(f"/{found['hits'][0]['file']}")
    assert found["query"]["weights"] == {"backbone": 0, "motion": 1, "appearance": 0}


def test_the_rate_of_false_alarms_is_as_asked(client: Client, services: Services) -> None:
    asked = services.videos(limit=1)[0].id
    for endpoint in ("/search", "/compose"):
        found = client.predict(video_id=asked, false_alarms=0.01, top=3, api_name=endpoint)
        expected = services.library.search(asked, top=3, false_alarms=0.01).to_json()["chance"]
        assert found["chance"] == expected != client.predict(video_id=asked, api_name=endpoint)["chance"]
        with pytest.raises(AppError, match=r"^false alarms: got 1, allowed is above 0 and below 1"):
            client.predict(video_id=asked, false_alarms=1, api_name=endpoint)


def test_what_is_faster_comes_first_where_speeds_are_told(own_library: Path, serve: Callable[[Path], Served]) -> None:
    served = serve(own_library)
    client, library = Client(served.url, verbose=False), served.services.library
    asked = {"video_id": served.services.videos(limit=1)[0].id, "motion": 1, "backbone": 0, "top": 50}
    with pytest.raises(AppError, match=r"^speed: whether this library's encoder tells speeds was not measured"):
        client.predict(**asked, speed="faster", api_name="/search")
    told(library, doubling=0.01).write(served.services.place.folder)
    for endpoint in ("/search", "/compose"):
        orders = []
        for speed in ("faster", "slower"):
            found = client.predict(**asked, speed=speed, api_name=endpoint)
            weights = PartWeights(motion=1, backbone=0)
            expected = library.search(asked["video_id"], top=50, weights=weights, speed=speed)
            orders.append([hit["id"] for hit in found["hits"]])
            assert orders[-1] == [hit.id for hit in expected]
        assert orders[0] != orders[1]
        with pytest.raises(AppError, match=r"^speed: got 'fast', allowed are faster, slower"):
            client.predict(**asked, speed="fast", api_name=endpoint)


def test_search_by_an_id_with_filters(client: Client, services: Services) -> None:
    video = services.videos(text="Spin", limit=1)[0]
    found = client.predict(video_id=video.id, label="Spin", top=50, api_name="/search")
    assert (found["hits"][0]["id"], found["hits"][0]["score"]) == (video.id, pytest.approx(1, abs=1e-3))
    assert {hit["label"] for hit in found["hits"]} == {"Spin"}
    part = client.predict(video_id=video.id, start_seconds=1, end_seconds=2, top=1, api_name="/search")
    assert part["query"]["start_seconds"] == 1


@pytest.mark.parametrize("endpoint", ["/search", "/compose"])
def test_the_query_s_own_recording_is_left_out(
    client: Client, services: Services, new_video: Path, endpoint: str
) -> None:
    rows = {row.id: str(row.group) for row in services.library.catalogue.videos(status="indexed")}
    video_id, own = next((key, group.partition("/")[2]) for key, group in rows.items())
    found = client.predict(video_id=video_id, leave_out="recording", top=50, api_name=endpoint)
    assert {hit["id"] for hit in found["hits"]} == {key for key, group in rows.items() if not group.endswith(own)}
    assert found["query"]["left_out"]["name"] == own
    with pytest.raises(AppError, match=r"^leave_out recording: that of my slide.mp4 cannot be known"):
        client.predict(file=handle_file(new_video), leave_out="recording", api_name=endpoint)
    with pytest.raises(AppError, match=r"^leave_out: got 'all', allowed are group, recording$"):
        client.predict(video_id=video_id, leave_out="all", api_name=endpoint)


@pytest.mark.parametrize("endpoint", ["/search", "/compose"])
def test_bounds_are_obeyed_or_refused_in_words(client: Client, services: Services, endpoint: str) -> None:
    rows = {row.id: row.duration_seconds for row in services.library.catalogue.videos(status="indexed")}
    longest = max(filter(None, rows.values()))
    video_id = next(iter(rows))
    found = client.predict(
        video_id=video_id, min_seconds=longest, until="9999-12-31", top=50, added_since="2000-01-01", api_name=endpoint
    )
    assert {hit["id"] for hit in found["hits"]} == {key for key, seconds in rows.items() if seconds == longest}
    plain = client.predict(video_id=video_id, min_seconds=None, since="", api_name=endpoint)
    assert plain == client.predict(video_id=video_id, api_name=endpoint)
    for wrong, says in (
        ({"since": "soon"}, "^since: got 'soon', allowed are days such as 2026-03-01"),
        ({"max_mb": -1}, "^max_mb: got -1, allowed are numbers from 0$"),
        ({"until": "1999-12-31"}, "^no video is dated 1999-12-31 or earlier: dates of files here are "),
        ({"added_since": "9999-12-31"}, "^no video is added 9999-12-31 or later: dates of adding here are 20"),
        ({"min_seconds": 9, "max_seconds": 8}, "^min_seconds 9 is above max_seconds 8"),
    ):
        with pytest.raises(AppError, match=says):
            client.predict(video_id=video_id, **wrong, api_name=endpoint)


def test_a_question_of_several_videos(client: Client, services: Services) -> None:
    one, other = (services.videos(text=text, limit=1)[0].id for text in ("Spin", "Bounce"))
    found = client.predict(video_id=one, look_of=other, top=3, api_name="/compose")
    expected = services.library.search(one, look_of=other, top=3)
    assert [(hit["id"], hit["score"]) for hit in found["hits"]] == [
        (hit.id, pytest.approx(hit.score)) for hit in expected
    ]
    assert found["query"]["look_of"] == {"id": other, "file": services.video(other).path}
    fed = client.predict(video_id=one, like=other, unlike=f" {other}  {one}", top=3, api_name="/compose")
    assert [hit["id"] for hit in fed["hits"]] == [
        hit.id for hit in services.library.search(one, like=[other], unlike=[other, one], top=3)
    ]
    for wrong, says in (({"like": "../x"}, "is not the id"), ({"look_of": other, "like": other}, "one query alone")):
        with pytest.raises(AppError, match=says):
            client.predict(video_id=one, **wrong, api_name="/compose")
    with pytest.raises(AppError, match="appearance has weight 0"):
        client.predict(video_id=one, look_of=other, appearance=0, api_name="/compose")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "give a file or the id"),
        ({"video_id": "../../etc/passwd"}, "is not the id of a video"),
        ({"video_id": "0" * 16}, "no indexed video"),
        ({"video_id": "0" * 16, "top": 0}, "allowed is 1 to 1000"),
        ({"video_id": "0" * 16, "motion": -1}, "no indexed video"),
        ({"video_id": "0" * 16, "motion": "it's"}, '^motion: got "it\'s", allowed are numbers$'),
        ({"video_id": "0" * 16, "motion": None, "top": None}, "no indexed video"),
    ],
)
def test_mistakes_are_answered_in_words(client: Client, arguments: dict, says: str) -> None:
    with pytest.raises(AppError, match=says):
        client.predict(**arguments, api_name="/search")


def test_a_filter_that_matches_nothing_says_what_there_is(client: Client, services: Services) -> None:
    video_id = services.videos(limit=1)[0].id
    with pytest.raises(AppError, match=r"^no class spin's; did you mean Spin\? There is "):
        client.predict(video_id=video_id, label="spin's", api_name="/search")


def test_values_that_have_a_default_need_not_be_given(client: Client, services: Services) -> None:
    first, second = (video.id for video in services.videos(limit=2))
    _, document = client.predict(video_id=first, match_id=second, api_name="/heatmap")
    assert document["threshold"] == 0.5


def test_a_name_that_is_no_text_hides_no_hit(own_library: Path, serve: Callable[..., Served]) -> None:
    video = next(own_library.rglob("*.mp4"))
    video.rename(video.parent / os.fsdecode(b"\xe9\n.mp4"))
    build_library(own_library, device="cpu")
    app = serve(own_library)
    found = Client(app.url, verbose=False).predict(video_id=app.services.videos(limit=1)[0].id, api_name="/search")
    assert len(found["hits"]) == 4
    assert f"{video.parent.name}/\\udce9\\n.mp4" in {hit["file"] for hit in found["hits"]}


def test_what_is_no_video_is_answered_in_words(client: Client, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    with pytest.raises(AppError, match=r"text\.mp4: not a video file"):
        client.predict(file=handle_file(str(text)), api_name="/search")


def test_report_and_library(client: Client, services: Services) -> None:
    assert client.predict(motion=1, api_name="/report")["weights"] == {
        "backbone": 0.5,
        "motion": 0.5,
        "appearance": 0.0,
    }
    library = client.predict(offset=1, limit=2, api_name="/library")
    assert (library["videos"], len(library["videos_shown"])) == (
        {"indexed": 32, "failed": 1, "total": 33, "partial": 0},
        2,
    )
    assert library["encoder"]["fingerprint"] == services.encoder["fingerprint"]
    assert library["failed"][0]["file"] == "Bounce/broken <b>name.mp4"
    assert library["failed"][0]["reason"]


def test_no_answer_says_where_on_the_server_anything_is(client: Client, services: Services) -> None:
    video_id = services.videos(limit=1)[0].id
    answers = [
        client.predict(api_name="/library"),
        client.predict(api_name="/report"),
        client.predict(video_id=video_id, api_name="/search"),
        client.predict(video_id=video_id, api_name="/compose"),
    ]
    folder = str(services.place.folder.resolve())
    roots = [str(root) for root in services.roots()]
    for answer in answers:
        assert not any(place in json.dumps(answer) for place in (folder, *roots))


def test_endpoints_work_without_a_client_library(served: Served, services: Services) -> None:
    """As the README does with curl: one request for an event, one that waits for it. The last values are left out."""
    video_id = services.videos(limit=1)[0].id
    call = f"{served.url}gradio_api/call/search"
    body = {"data": [None, video_id, 0, 0, 1, 2, None, None, "", "", ""]}
    with httpx.Client(timeout=60) as session:  # keeps the cookie
        event = session.post(call, json=body).json()["event_id"]
        answer = session.get(f"{call}/{event}").text
    assert "event: complete" in answer
    document = json.loads(answer.split("data: ")[1])[0]
    assert document["hits"][0]["id"] == video_id


def test_only_stable_names_are_offered(served: Served) -> None:
    offered = httpx.get(f"{served.url}gradio_api/info").json()
    assert {"/search", "/compose", "/report", "/library", "/heatmap"} == set(offered["named_endpoints"])


def test_media_come_by_id_in_ranges(served: Served, services: Services) -> None:
    video_id = services.videos(limit=1)[0].id
    poster = httpx.get(f"{served.url}media/poster/{video_id}.jpg", timeout=60)
    assert (poster.status_code, poster.headers["content-type"]) == (200, "image/jpeg")
    part = httpx.get(f"{served.url}media/video/{video_id}.mp4", headers={"Range": "bytes=4-7"}, timeout=60)
    assert (part.status_code, part.content) == (206, b"ftyp")
    for wrong in ("0" * 16, "..%2f..%2fetc%2fpasswd", "x"):
        assert httpx.get(f"{served.url}media/video/{wrong}.mp4").status_code == 404


def test_the_command_names_a_users_mistake_in_one_line(tmp_path: Path) -> None:
    done = rspnet_app("serve", "--index", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rspnet-app: no library at")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", [("127.0.0.1", None), ("192.0.2.1", "7860"), ("a" * 200, "7860")])
def test_an_address_that_it_cannot_listen_on_is_told_in_one_line(own_library: Path, place: tuple[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = place[0], place[1] or str(taken.getsockname()[1])
        done = rspnet_app("serve", "--index", str(own_library), "--device", "cpu", "--host", host, "--port", port)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"cannot listen on {host}:{port}" in done.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # uvicorn leaves by SystemExit
def test_an_app_that_does_not_start_is_an_error_and_not_announced() -> None:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("no start")
        yield

    server = uvicorn.Server(uvicorn.Config(FastAPI(lifespan=lifespan), log_level="critical"))
    announced: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(RspnetError, match="could not start"):
        _run_until_stopped(server, listening, lambda: announced.append(True))
    assert announced == []


@pytest.mark.slow
def test_the_command_serves_until_it_is_stopped(own_library: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    said = tmp_path / "said"
    options = ("--index", own_library, "--device", "cpu", "--port", port)
    process = prepared.start("app.cli.main", "serve", *options, stderr=said)
    try:
        deadline = time.monotonic() + 120
        while not said.exists() or "Ctrl-C" not in said.read_text():
            assert process.is_alive() and time.monotonic() < deadline
            time.sleep(0.05)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}
        assert "<gradio-app" in httpx.get(f"http://127.0.0.1:{port}/").text
        os.kill(process.pid, signal.SIGINT)
        process.join(60)
        assert process.exitcode == 0
    finally:
        process.kill()
    assert "Traceback" not in said.read_text()


def test_the_command_has_help_with_examples() -> None:
    done = rspnet_app("serve", "--help")
    assert done.returncode == 0
    for word in ("--index", "--host", "--port", "--auth-file", "rspnet-app serve --index demo"):
        assert word in done.stdout
