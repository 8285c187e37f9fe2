"""The app behind Caddy with a certificate of its own, as docs/serving.md has it."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.serving.sessions import COOKIE
from app.session.services import Services
from tests.app.conftest import PASSWORD, serving, user_file

CADDYFILE = """{
    admin off
    skip_install_trust
    auto_https disable_redirects
}
https://localhost:%d {
    tls internal
    reverse_proxy %s
}
"""


@pytest.fixture
def site(services: Services, tmp_path: Path) -> Iterator[str]:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed; install it with `apt-get install caddy`")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(services, users=user_file(tmp_path, ada="editor")) as url:
        (tmp_path / "Caddyfile").write_text(CADDYFILE % (port, url.removeprefix("http://").rstrip("/")))
        command = [caddy, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
        home = os.environ | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        process = subprocess.Popen(command, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f"https://localhost:{port}/"
        finally:
            process.terminate()
            process.wait(20)


def test_a_user_logs_in_uploads_and_searches_behind_tls(site: str, services: Services, new_video: Path) -> None:
    with httpx.Client(base_url=site, verify=False, timeout=60) as client:
        deadline = time.monotonic() + 120
        while True:
            try:
                assert client.get("healthz").json() == {"status": "ok"}
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert client.get("config").status_code == 401
        own = {"Origin": site.rstrip("/")}
        answer = client.post("login", data={"username": "ada", "password": PASSWORD}, headers=own)
        assert answer.is_success
        assert answer.headers["set-cookie"].startswith(f"{COOKIE}=")
        assert "; Secure" in answer.headers["set-cookie"]
        assert client.post("logout", headers={"Origin": "https://evil.example"}).status_code == 403
        with new_video.open("rb") as file:
            path = client.post("gradio_api/upload", files={"files": file}, headers=own).json()[0]
        value = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = {"data": [value, "", 0, 0, 1, 2, None, None, "", "", ""]}
        event = client.post("gradio_api/call/search", json=body, headers=own).json()["event_id"]
        assert "event: complete" in client.get(f"gradio_api/call/search/{event}").text
        page = client.get("")
        assert f'"root":"{site.rstrip("/")}"' in page.text  # all that the page loads comes over TLS
