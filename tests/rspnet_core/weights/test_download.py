"""Downloads against a real HTTP server on 127.0.0.1 that resumes, ignores ranges, cuts connections or fails."""

import hashlib
import json
import multiprocessing
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.weights.download import OFFICIAL_FILES, cache_folder, pull
from tests.conftest import REPOSITORY

CONTENT = bytes(range(256)) * 12_000  # 3 MB: more than two reads
FILE_NAME = "model_best_resnet18_200epoch.pth.tar"


@dataclass
class Release:
    """What the server serves, and what it was asked for."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    honours_ranges: bool = True
    wrong_ranges: bool = False
    cut_after_bytes: int | None = None
    says_length: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    sent_bytes: int = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        release: Release = self.server.release  # type: ignore[attr-defined]
        release.requests.append((self.path, self.headers.get("Range")))
        if not self.path.endswith(FILE_NAME):
            self.send_error(404)
            return
        start = self.range_start(release)
        total = len(release.content)
        if start is not None and start >= total:
            self.send_error(416)
            return
        body = release.content[start or 0 :]
        self.send_response(200 if start is None else 206)
        if start is not None:
            first = start + 1 if release.wrong_ranges else start
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        if release.says_length:
            self.send_header("Content-Length", str(len(body)))
        if release.etag:
            self.send_header("ETag", release.etag)
        self.end_headers()
        body = body[: release.cut_after_bytes]
        release.sent_bytes += len(body)
        self.wfile.write(body)

    def range_start(self, release: Release) -> int | None:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range") in (None, release.etag)
        return int(match[1]) if match and release.honours_ranges and unchanged else None

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.release = Release()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("RSPNET_WEIGHTS_URL", f"http://127.0.0.1:{server.server_port}/mirror/")
    monkeypatch.setenv("RSPNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server.release  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def cut_download(release: Release, after_bytes: int) -> None:
    release.cut_after_bytes = after_bytes
    with pytest.raises(WeightsError, match=f"ended after {after_bytes} of {len(release.content)} bytes"):
        pull("official:resnet18")
    release.cut_after_bytes = None
    release.requests.clear()
    release.sent_bytes = 0


def files_in_cache() -> set[str]:
    return {path.name.removeprefix(FILE_NAME) for path in cache_folder().iterdir()}


def test_pull_downloads_once_and_records_the_hash(release: Release) -> None:
    path = pull("official:resnet18")
    assert path == cache_folder() / FILE_NAME
    assert path.read_bytes() == CONTENT
    assert json.loads(Path(f"{path}.json").read_text())["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert files_in_cache() == {"", ".json", ".lock"}
    assert pull("official:resnet18") == path
    assert release.requests == [(f"/mirror/{FILE_NAME}", None)]


def test_a_cut_download_is_not_taken_for_the_file_and_resumes_where_it_stopped(release: Release) -> None:
    cut_download(release, 1_500_000)
    assert not (cache_folder() / FILE_NAME).exists()
    assert pull("official:resnet18").read_bytes() == CONTENT
    assert release.requests == [(f"/mirror/{FILE_NAME}", "bytes=1500000-")]
    assert release.sent_bytes == len(CONTENT) - 1_500_000
    assert files_in_cache() == {"", ".json", ".lock"}


def test_a_server_that_ignores_ranges_sends_the_whole_file_again(release: Release) -> None:
    cut_download(release, 1_500_000)
    release.honours_ranges = False
    assert pull("official:resnet18").read_bytes() == CONTENT
    assert release.sent_bytes == len(CONTENT)


def test_a_range_that_was_not_asked_for_is_dropped(release: Release) -> None:
    cut_download(release, 1_500_000)
    release.wrong_ranges = True
    assert pull("official:resnet18").read_bytes() == CONTENT
    assert [asked for _, asked in release.requests] == ["bytes=1500000-", None]


def test_a_file_that_changed_on_the_server_is_not_spliced(release: Release) -> None:
    cut_download(release, 1_500_000)
    release.content, release.etag = CONTENT[::-1], '"two"'
    assert pull("official:resnet18").read_bytes() == CONTENT[::-1]


def test_a_range_beyond_the_end_starts_again(release: Release) -> None:
    cut_download(release, 1_500_000)
    release.content = CONTENT[:1_000_000]  # same tag, shorter file: the server answers 416
    assert pull("official:resnet18").read_bytes() == CONTENT[:1_000_000]
    assert [asked for _, asked in release.requests] == ["bytes=1500000-", None]


def test_without_a_validator_nothing_is_resumed(release: Release) -> None:
    release.etag = None
    cut_download(release, 1_500_000)
    assert pull("official:resnet18").read_bytes() == CONTENT
    assert release.requests == [(f"/mirror/{FILE_NAME}", None)]


def test_a_download_that_was_complete_but_not_renamed_needs_no_request(release: Release) -> None:
    cut_download(release, 1_500_000)
    (cache_folder() / f"{FILE_NAME}.part").write_bytes(CONTENT)
    assert pull("official:resnet18").read_bytes() == CONTENT
    assert release.requests == []


@pytest.mark.parametrize("state", [b"", b"{}", b"\xff\x00"])
def test_a_damaged_note_of_a_partial_download_starts_again(release: Release, state: bytes) -> None:
    cut_download(release, 1_500_000)
    (cache_folder() / f"{FILE_NAME}.part.json").write_bytes(state)
    assert pull("official:resnet18").read_bytes() == CONTENT
    assert release.requests == [(f"/mirror/{FILE_NAME}", None)]


def test_a_file_that_changed_in_the_cache_is_refused(release: Release) -> None:
    path = pull("official:resnet18")
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(WeightsError, match=r"has changed since its first use.*delete"):
        pull("official:resnet18")


def test_a_file_placed_by_hand_is_used_and_its_hash_recorded(release: Release) -> None:
    cache_folder().mkdir()
    (cache_folder() / FILE_NAME).write_bytes(b"placed")
    assert pull("official:resnet18").read_bytes() == b"placed"
    assert release.requests == []
    assert (cache_folder() / f"{FILE_NAME}.json").is_file()


def test_a_damaged_record_is_refused(release: Release) -> None:
    path = pull("official:resnet18")
    Path(f"{path}.json").write_text("{")
    with pytest.raises(WeightsError, match="not a record of a download; delete"):
        pull("official:resnet18")


def test_404_says_what_was_tried_and_where_to_place_the_file(release: Release) -> None:
    with pytest.raises(WeightsError) as caught:
        pull("official:c3d")
    message = str(caught.value)
    assert "answered 404" in message and "/mirror/model_best_c3d_200epoch.pth.tar" in message
    assert f"save it as {cache_folder() / 'model_best_c3d_200epoch.pth.tar'}" in message
    assert "\n" not in message


def test_a_server_that_does_not_tell_the_length_is_refused(release: Release) -> None:
    release.says_length = False
    with pytest.raises(WeightsError, match="does not say how long"):
        pull("official:resnet18")


def test_offline_is_one_clear_error(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSPNET_WEIGHTS_URL", "http://127.0.0.1:1")
    with pytest.raises(WeightsError, match=r"cannot get official:resnet18 from http://127.+refused.+by hand"):
        pull("official:resnet18")


def test_a_cache_that_cannot_be_made_is_one_clear_error(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RSPNET_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match="Not a directory"):
        pull("official:resnet18")


def test_unknown_names_and_other_schemes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSetting, match="'official:resnet50'; have official:c3d, official:resnet18"):
        pull("official:resnet50")
    monkeypatch.setenv("RSPNET_WEIGHTS_URL", "file:///etc")
    with pytest.raises(InvalidSetting, match="http"):
        pull("official:resnet18")


def test_every_name_has_its_published_file() -> None:
    assert len(set(OFFICIAL_FILES.values())) == 5
    assert OFFICIAL_FILES["official:r2plus1d"] == "model_best_r21d_200epoch.pth.tar"


def test_two_processes_download_once(release: Release) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        paths = pool.map(pull, ["official:resnet18"] * 2, chunksize=1)
    assert paths[0] == paths[1] and paths[0].read_bytes() == CONTENT
    assert release.requests == [(f"/mirror/{FILE_NAME}", None)]


HOLDER = """
import sys, time
from pathlib import Path
from rspnet_core.weights.download import _one_process_at_a_time
with _one_process_at_a_time(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_waits_says_so_and_goes_on_when_the_holder_is_killed(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    cache_folder().mkdir()
    command = [sys.executable, "-c", HOLDER, str(cache_folder() / f"{FILE_NAME}.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        killer = threading.Timer(0.5, holder.kill)
        killer.start()
        assert pull("official:resnet18").read_bytes() == CONTENT
        killer.join()
        assert holder.wait() != 0
    told = " ".join(capsys.readouterr().err.split())
    assert f"another process is downloading {FILE_NAME}; waiting for it" in told
