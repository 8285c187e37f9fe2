"""Logging in: by a page or by a program, slower with each failure, over when it ends."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.serving.sessions import COOKIE, IDLE_SECONDS, Sessions
from app.serving.throttle import PER_ADDRESS, PER_USER, Throttle
from app.serving.users import UserFile, is_password, new_user, write_users
from app.session.services import Services
from tests.app.conftest import PASSWORD, serving, user_file

HTML = {"Accept": "text/html"}


@pytest.fixture
def users(tmp_path: Path) -> UserFile:
    return user_file(tmp_path, ada="editor", bob="viewer")


@pytest.fixture
def slow_users(users: UserFile) -> UserFile:
    """Ada's password takes as long as in the product."""
    write_users(users.path, [new_user("ada", "editor", PASSWORD)])
    return users


@pytest.fixture
def guessed(services: Services, slow_users: UserFile) -> Iterator[httpx.Client]:
    """Nobody has tried a password there yet."""
    with serving(services, users=slow_users) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture(scope="module")
def site(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, UserFile]]:
    users = user_file(tmp_path_factory.mktemp("users"), ada="editor", bob="viewer")
    with serving(services, users=users) as url:
        yield url, users


@pytest.fixture
def client(site: tuple[str, UserFile]) -> Iterator[httpx.Client]:
    """A browser of its own, at the site of the whole module; what a test does to the users, it undoes."""
    with httpx.Client(base_url=site[0]) as client:
        yield client


def log_in(client: httpx.Client, user: str = "ada", password: str = PASSWORD, **headers: str) -> httpx.Response:
    return client.post("login", data={"username": user, "password": password}, headers=headers)


def test_a_program_logs_in_and_out(client: httpx.Client) -> None:
    answer = log_in(client)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert client.get("config").json()["username"] == "ada"
    token = client.cookies[COOKIE]
    assert client.post("logout").status_code == 303
    assert client.get("config", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401


def test_behind_tls_the_cookie_is_secure(client: httpx.Client) -> None:
    """A proxy on this machine is believed when it says so."""
    answer = log_in(client, **{"X-Forwarded-Proto": "https"})
    assert "; Secure" in answer.headers["set-cookie"]


def test_a_person_is_led_to_the_page_and_back_to_the_search(client: httpx.Client) -> None:
    answer = client.get("?video=abc&motion=0.7", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "login?video=abc&motion=0.7")
    page = client.get(answer.headers["location"], headers=HTML)
    assert 'action="login?video=abc&amp;motion=0.7"' in page.text
    answer = client.post(answer.headers["location"], data={"username": "ada", "password": PASSWORD}, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "./?video=abc&motion=0.7")


@pytest.mark.parametrize("query", ["next=//evil.example", "/evil.example", '"><script>alert(1)</script>', "a\r\nb: c"])
def test_the_login_leads_nowhere_else(client: httpx.Client, query: str) -> None:
    answer = client.post("login", params=query, data={"username": "ada", "password": PASSWORD}, headers=HTML)
    assert answer.headers["location"].startswith("./?")
    assert "<script>" not in client.get("login", params=query).text


def test_wrong_passwords_are_refused_in_words(guessed: httpx.Client) -> None:
    for user, password in (("ada", "wrong"), ("eve", PASSWORD), ("ada", PASSWORD + " "), ("ADA", PASSWORD)):
        answer = log_in(guessed, user, password)
        assert (answer.status_code, answer.json()) == (401, {"detail": "The name or the password is wrong."})
    page = log_in(guessed, "<b>eve</b>", "hunter2", **HTML)
    assert "The name or the password is wrong." in page.text
    assert "hunter2" not in page.text
    assert "eve" not in page.text


@pytest.mark.parametrize(
    "body", [b"", b"username=ada", b"username=ada&password=", b"\xff\xfe", b"a=" + b"x" * 10_000, b"&" * 100]
)
def test_what_is_no_form_is_refused(client: httpx.Client, body: bytes) -> None:
    assert client.post("login", content=body).status_code == 400


def test_guesses_are_slowed_down(guessed: httpx.Client) -> None:
    began = time.monotonic()
    statuses = [log_in(guessed, "ada", f"guess {number}").status_code for number in range(60)]
    tried = statuses.count(401)
    assert set(statuses) == {401, 429}
    assert tried <= PER_ADDRESS.free + 1 + int(time.monotonic() - began)
    answer = log_in(guessed)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Try again in" in answer.json()["detail"]


def test_guesses_side_by_side_are_slowed_down_too(guessed: httpx.Client) -> None:
    import asyncio

    async def guess() -> list[int]:
        async with httpx.AsyncClient(base_url=guessed.base_url, timeout=60) as other:
            form = {"username": "ada", "password": "guess"}
            answers = await asyncio.gather(*(other.post("login", data=form) for _ in range(30)))
        return [answer.status_code for answer in answers]

    assert asyncio.run(guess()).count(401) <= PER_ADDRESS.free + 2


def test_waits_grow_and_end() -> None:
    clock = [0.0]
    throttle = Throttle(lambda: clock[0])
    waits = []
    for _ in range(40):
        throttle.failed("ada", "192.0.2.1")
        waits.append(throttle.wait_seconds("other", "192.0.2.1"))
    assert waits[:8] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert waits[-1] == PER_ADDRESS.longest_seconds
    assert throttle.wait_seconds("ada", "198.51.100.1") == PER_USER.longest_seconds
    clock[0] += PER_ADDRESS.longest_seconds
    assert throttle.wait_seconds("ada", "192.0.2.1") == 0
    throttle.succeeded("ada", "192.0.2.1")
    throttle.failed("ada", "198.51.100.1")
    assert throttle.wait_seconds("ada", "198.51.100.1") == 0


def test_a_household_is_one_address() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(6):
        throttle.failed(f"user{number}", f"2001:db8::{number + 1:x}")
    assert throttle.wait_seconds("x", "2001:db8::ffff") > 0
    assert throttle.wait_seconds("x", "2001:db8:0:1::1") == 0
    assert throttle.wait_seconds("x", "::ffff:192.0.2.1") == 0


def test_an_unknown_user_takes_as_long_as_a_known_one(slow_users: UserFile) -> None:
    def median(name: str) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            assert not is_password(slow_users.find(name), "wrong password")
            times.append(time.process_time() - began)
        return statistics.median(times)

    known, unknown = median("ada"), median("eve")
    assert 0.3 < known / unknown < 3  # both hash; without that it would be a thousand to one


def test_a_removed_user_and_a_changed_password_end_the_login_at_once(
    client: httpx.Client, site: tuple[str, UserFile]
) -> None:
    users = site[1]
    log_in(client, "bob")
    assert client.get("config").is_success
    ada, bob = users.find("ada"), users.find("bob")
    write_users(users.path, [ada, new_user("bob", "viewer", "another one")])
    assert client.get("config").status_code == 401
    log_in(client, "bob", "another one")
    assert client.get("config").is_success
    write_users(users.path, [ada])
    assert client.get("config").status_code == 401
    users.path.write_text("damaged")
    assert log_in(client).status_code == 401
    write_users(users.path, [ada, bob])
    assert log_in(client).is_success


def test_a_login_that_nobody_uses_ends(users: UserFile) -> None:
    clock = [0.0]
    sessions = Sessions(users, "viewer", lambda: clock[0])
    token = sessions.open("ada", users.find("ada").password_hash)
    clock[0] += IDLE_SECONDS - 1
    visitor, _ = sessions.visitor({COOKIE: token})
    assert (visitor.name, visitor.role) == ("ada", "editor")
    clock[0] += IDLE_SECONDS + 1
    assert sessions.visitor({COOKIE: token}) == (None, None)


def test_a_stranger_s_cookie_is_no_login(users: UserFile) -> None:
    sessions = Sessions(users, "editor")
    for token in ("", "x" * 43, "../../etc", "A" * 1000):
        assert sessions.visitor({COOKIE: token}) == (None, None)


def test_without_logins_each_browser_is_a_visitor() -> None:
    sessions = Sessions(None, "viewer")
    first, token = sessions.visitor({})
    again, nothing = sessions.visitor({COOKIE: token})
    other, _ = sessions.visitor({COOKIE: "short"})
    assert (again, nothing) == (first, None)
    assert other.key != first.key
    assert (first.role, first.name) == ("viewer", None)
    assert token not in first.key
