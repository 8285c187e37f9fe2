"""What every request passes: headers, origin, host, words of refusals, and a queue that is bounded."""

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from app.main import MOST_WAITING
from app.serving.streams import Streams
from app.session.services import Services
from tests.app.conftest import Served, serving
from tests.app.serving.test_planted_file import events_of

MARK = "xq7zmarker"


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        client.get("config")
        yield client


@pytest.mark.parametrize("path", ["", "config", "nothing", "healthz", "readyz", "robots.txt", "login", "page.js"])
def test_every_answer_carries_the_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert re.fullmatch("[0-9a-f]{16}", headers["x-request-id"])
    assert "server" not in headers


def test_only_scripts_and_styles_whose_name_says_their_content_are_kept(client: httpx.Client) -> None:
    asset = re.search(r"assets/[\w-]+-[\w-]{8,}\.(js|css)", client.get("").text)
    assert client.get(asset[0]).headers["cache-control"] == "private, max-age=31536000, immutable"
    for other in ("", "config", "theme.css", "page.js", "static/img/logo.svg", "assets/nothing.js"):
        assert client.get(other).headers["cache-control"] == "private, no-store", other


def test_each_page_has_a_nonce_of_its_own_on_all_scripts(client: httpx.Client) -> None:
    nonces = set()
    for _ in range(2):
        page = client.get("")
        (nonce,) = re.findall("'nonce-([^']+)'", page.headers["content-security-policy"])
        tags = re.findall(r"<script[^>]*>", page.text)
        assert len(tags) >= 4
        assert all(f'nonce="{nonce}"' in tag for tag in tags)
        nonces.add(nonce)
    assert len(nonces) == 2


def test_a_site_that_was_named_may_embed(services: Services) -> None:
    with serving(services, ancestors="https://example.org") as url:
        headers = httpx.get(url).headers
    assert "frame-ancestors https://example.org" in headers["content-security-policy"]
    assert "x-frame-options" not in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_changes_nothing(client: httpx.Client, headers: dict[str, str]) -> None:
    for path in ("login", "logout", "gradio_api/upload", "gradio_api/queue/join", "gradio_api/call/search"):
        answer = client.post(path, json={}, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (403, "another site sent this request")
    own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert client.post("gradio_api/upload", files={"files": ("a.mp4", b"x")}, headers=own).status_code == 200


def test_no_other_site_may_read(client: httpx.Client) -> None:
    for path in ("config", "gradio_api/info", ""):
        answer = client.get(path, headers={"Origin": "http://localhost:1234"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_name_that_was_made_to_point_here_is_not_served(served: Served, services: Services) -> None:
    """Where everyone who uses this machine is an editor."""
    for host in ("evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "[::1"):
        assert httpx.get(f"{served.url}config", headers={"Host": host}).status_code in {400, 421}
    for host in ("localhost", "127.0.0.1:7860", "[::1]:7860"):
        assert httpx.get(f"{served.url}config", headers={"Host": host}).status_code == 200
    with serving(services, strangers="viewer") as url:
        assert httpx.get(f"{url}config", headers={"Host": "videos.example"}).status_code == 200


def wait_for(client: httpx.Client, answer: httpx.Response) -> str:
    if not answer.is_success:
        return answer.text
    return answer.text + client.get(f"gradio_api/call/x/{answer.json()['event_id']}").text


def errors_in(text: str) -> str:
    """What a client is told of an error: refusals whole, of events the part that says what went wrong."""
    found = [text] if '"detail"' in text else []
    found += re.findall(r"event: error\ndata: (.*)", text) + re.findall(r'class=\\"notice error.*', text)
    return "\n".join(found)


@pytest.mark.slow
def test_errors_repeat_nothing_that_was_sent(client: httpx.Client) -> None:
    said = []
    for event in events_of(client):
        for value in (MARK, [MARK], {"value": MARK}, {MARK: 1}):
            data = [value] * len(event["inputs"])
            said.append(wait_for(client, client.post(f"gradio_api/call/{event['api_name']}", json={"data": data})))
    said.append(wait_for(client, client.post("gradio_api/call/search", json={"data": [MARK]})))
    for path, body in (
        (f"gradio_api/call/{MARK}", {"data": []}),
        ("gradio_api/call/search", {"data": MARK}),
        ("gradio_api/call/v2/search", {MARK: MARK}),
        ("gradio_api/queue/join", {"data": [], "fn_index": MARK, "session_hash": "s"}),
        ("gradio_api/queue/join", {"data": [], "fn_index": 10**6, "session_hash": "s"}),
        ("gradio_api/queue/join", {"data": [], "fn_index": 2, "session_hash": [MARK]}),
        ("gradio_api/queue/join", {"data": [], "fn_index": 2, "trigger_id": MARK, "session_hash": "s"}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code in {400, 403, 404, 422}, (path, body)
        said.append(answer.text)
    for path in (f"gradio_api/file=/{MARK}", f"media/poster/{MARK}.jpg", MARK, f"gradio_api/call/search/{MARK}"):
        said.append(client.get(path).text)
    errors = "\n".join(errors_in(text) for text in said)
    assert len(errors) > 2000
    assert MARK not in errors


@pytest.mark.slow
def test_a_full_queue_is_told_and_what_was_taken_is_answered(own_library, serve) -> None:
    served: Served = serve(own_library)
    with httpx.Client(base_url=served.url, timeout=60) as client:
        client.get("config")
        video_id = served.services.videos(limit=1)[0].id
        body = {"data": [None, video_id, 0, 0, 1, 2, None, None, "", "", ""]}
        holding = served.services._encoding  # the encoder is busy
        with holding:
            served.services._queries._kept.clear()
            part = [*body["data"][:6], 0.1, 0.9, *body["data"][8:]]
            answers = [client.post("gradio_api/call/search", json={"data": part}) for _ in range(MOST_WAITING + 10)]
            assert client.get("healthz", timeout=1).json() == {"status": "ok"}
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 503}
        assert statuses.count(200) in {MOST_WAITING + 1, MOST_WAITING + 2}  # one runs, the others wait
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert refused.headers["retry-after"] == "5"
        assert "try again in a few seconds" in refused.json()["detail"]
        for answer in answers:
            if answer.is_success:
                said = client.get(f"gradio_api/call/search/{answer.json()['event_id']}").text
                assert "event: complete" in said


# Streams: a fake of what Gradio does, so that the moments can be chosen


class FakeQueue:
    """Sends what is asked, then closes the stream as soon as nothing is left, as Gradio does."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.streams = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.streams += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while self.asked:
            await send({"type": "http.response.body", "body": self.asked.pop(0).encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b'data: {"msg":"close_stream"}\n\n', "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def no_message() -> Message:
    return await asyncio.Future()


def stream(streams: Streams, queue: FakeQueue, client: list[str]) -> "asyncio.Task[None]":
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            client.append(message["body"].decode())

    scope: dict[str, Any] = {"type": "http"}
    return asyncio.ensure_future(streams.relay(queue, scope, no_message, send, "s"))


def test_a_question_in_the_moment_of_closing_is_answered_over_the_same_stream(monkeypatch) -> None:
    monkeypatch.setattr("app.serving.streams.HELD_SECONDS", 0.3)
    monkeypatch.setattr("app.serving.streams.SEEN_SECONDS", 0.2)

    async def scenario() -> None:
        streams, queue, client = Streams(), FakeQueue(), []
        queue.asked.append("first")
        task = stream(streams, queue, client)
        await asyncio.sleep(0.1)
        assert client == ["first"]  # the server has decided to close, the client has not been told
        queue.asked.append("second")
        await asyncio.wait_for(streams.asked("s"), 0.05)
        await asyncio.sleep(0.05)
        assert client == ["first", "second"]
        await task
        assert client[-1].startswith('data: {"msg":"close_stream"')
        assert (len(client), queue.streams) == (3, 2)

    asyncio.run(scenario())


def test_a_question_after_the_closing_is_confirmed_once_the_client_has_seen_it(monkeypatch) -> None:
    monkeypatch.setattr("app.serving.streams.HELD_SECONDS", 0.05)
    monkeypatch.setattr("app.serving.streams.SEEN_SECONDS", 0.3)

    async def scenario() -> None:
        streams, queue, client = Streams(), FakeQueue(), []
        await stream(streams, queue, client)
        assert client[-1].startswith('data: {"msg":"close_stream"')
        loop = asyncio.get_running_loop()
        began = loop.time()
        await streams.asked("s")
        assert loop.time() - began >= 0.25
        began = loop.time()
        await streams.asked("another page")
        await streams.asked("s")
        assert loop.time() - began < 0.1

    asyncio.run(scenario())


@pytest.mark.slow
def test_pages_that_ask_in_the_moment_of_closing_lose_no_answer(served: Served) -> None:
    """Chains of events with pauses around the time that the stream is held: each answer comes."""
    video_id = served.services.videos(limit=1)[0].id
    body = {"data": [None, video_id, 0, 0, 1, 1, None, None, "", "", ""]}
    lost: list[str] = []

    def chain(number: int) -> None:
        with httpx.Client(base_url=served.url, timeout=30) as client:
            client.get("config")
            index = next(event["id"] for event in events_of(client) if event["api_name"] == "search")
            session = f"chain {number}"
            document = body | {"fn_index": index, "session_hash": session}
            is_open = threading.Event()
            answered: dict[str, threading.Event] = {}

            def listen() -> None:
                with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as answer:
                    for line in answer.iter_lines():
                        said = json.loads(line[5:]) if line.startswith("data:") else {}
                        if said.get("msg") == "close_stream":
                            is_open.clear()
                            return
                        if said.get("msg") == "process_completed":
                            answered.setdefault(said["event_id"], threading.Event()).set()

            for step in range(4):
                event = client.post("gradio_api/queue/join", json=document).json()["event_id"]
                done = answered.setdefault(event, threading.Event())
                if not is_open.is_set():  # what Gradio's own client decides by
                    is_open.set()
                    threading.Thread(target=listen, daemon=True).start()
                if not done.wait(20):
                    lost.append(f"{session} {step}")
                # around the moment at which the stream is closed
                threading.Event().wait((1.98 + 0.005 * (number % 10)) if step % 2 else 0)
            threading.Event().wait(2.5)

    threads = [threading.Thread(target=chain, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
