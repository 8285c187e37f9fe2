"""Fetch the published checkpoints into a cache: streamed, resumed, and checked against a recorded hash ever after.

Beside ``FILE`` in the cache lie ``FILE.json`` (where it came from, its SHA-256 at first use), ``FILE.lock`` (one
process downloads, others wait) and, until it is complete, ``FILE.part`` with ``FILE.part.json``.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from rspnet_core.atomic import flush_to_disk, replace_text
from rspnet_core.config import Settings
from rspnet_core.errors import InvalidSetting, WeightsError

OFFICIAL_FILES = {
    "official:c3d": "model_best_c3d_200epoch.pth.tar",
    "official:resnet18": "model_best_resnet18_200epoch.pth.tar",
    "official:r2plus1d": "model_best_r21d_200epoch.pth.tar",
    "official:s3dg": "model_best_s3dg_200epoch.pth.tar",
    "official:s3dg-1000": "model_best_s3dg_1000epoch.pth.tar",
}
"""The checkpoints published by the paper's authors (Kinetics-400); the last one is trained for 1000 epochs."""

RELEASE_URL = "https://github.com/PeihaoChen/RSPNet/releases/download/pretrained_model"
TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 20


class CacheRecord(Settings):
    """Saved beside a cached file when it is used for the first time."""

    url: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class PartialDownload(Settings):
    """Saved beside a file that is not complete yet: what the rest must belong to."""

    url: str
    total_bytes: int
    validator: str
    """The server's strong ETag or its Last-Modified; sent as If-Range, so a changed file is never spliced."""


def cache_folder() -> Path:
    """``$RSPNET_CACHE``, by default ``~/.cache/rspnet``."""
    return Path(os.environ.get("RSPNET_CACHE") or "~/.cache/rspnet").expanduser()


def pull(name: str) -> Path:
    """Path of the cached checkpoint ``name`` (``official:resnet18``), downloaded first where it is not there yet.

    The release address is replaced by ``$RSPNET_WEIGHTS_URL`` (a mirror), the cache by ``$RSPNET_CACHE``.
    A download that was cut goes on where it stopped. Two processes may pull the same file.

    Raises InvalidSetting for an unknown name or a mirror that is not http(s), WeightsError when the file cannot be
    had or has changed since its first use.
    """
    if name not in OFFICIAL_FILES:
        raise InvalidSetting(f"unknown published checkpoint {name!r}; have {', '.join(OFFICIAL_FILES)}")
    path = cache_folder() / OFFICIAL_FILES[name]
    url = f"{_release_url()}/{path.name}"
    try:
        if not (path.is_file() and _beside(path, ".json").is_file()):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _one_process_at_a_time(_beside(path, ".lock")):
                if not path.is_file():
                    _download(url, path)
                _record_hash(url, path)
        _check_hash(path)
    except (OSError, HTTPException) as error:
        raise WeightsError(
            f"cannot get {name} from {url}: {_reason(error)}; try again, set RSPNET_WEIGHTS_URL to a mirror, "
            f"or download the file by hand and save it as {path}"
        ) from error
    return path


def _release_url() -> str:
    url = os.environ.get("RSPNET_WEIGHTS_URL") or RELEASE_URL
    if not url.startswith(("https://", "http://")):
        raise InvalidSetting(f"RSPNET_WEIGHTS_URL is {url!r}; it must be an http:// or https:// address")
    return url.rstrip("/")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {error.reason}"
    return " ".join(str(getattr(error, "reason", error) or type(error).__name__).split())


@contextmanager
def _one_process_at_a_time(path: Path) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        Console(stderr=True).print(f"another process is downloading {path.stem}; waiting for it", highlight=False)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(url: str, path: Path) -> None:
    part, state = _beside(path, ".part"), _beside(path, ".part.json")
    partial = _resumable(url, part, state)
    if partial is None or part.stat().st_size != partial.total_bytes:
        _fetch(url, part, state, partial)
    flush_to_disk(part)
    part.replace(path)
    state.unlink(missing_ok=True)


def _resumable(url: str, part: Path, state: Path) -> PartialDownload | None:
    if not (part.is_file() and state.is_file()):
        return None
    try:
        partial = PartialDownload.model_validate_json(state.read_bytes())
    except ValidationError:
        return None
    fits = partial.url == url and part.stat().st_size <= partial.total_bytes
    return partial if fits else None


def _fetch(url: str, part: Path, state: Path, partial: PartialDownload | None) -> None:
    """Complete ``part``, from its end where the server lets us and from nothing otherwise."""
    with _open(url, partial, part) as response:
        offset = part.stat().st_size if response.status == HTTPStatus.PARTIAL_CONTENT else 0
        length = response.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise HTTPException("the server does not say how long the file is")
        total_bytes = offset + int(length)
        if offset == 0:
            part.write_bytes(b"")
            _remember(state, url, total_bytes, response)
        _append(response, part, offset, total_bytes)
    received_bytes = part.stat().st_size
    if received_bytes != total_bytes:
        raise HTTPException(f"the connection ended after {received_bytes} of {total_bytes} bytes (kept for next time)")


def _open(url: str, partial: PartialDownload | None, part: Path) -> HTTPResponse:
    """The response that continues ``part`` (status 206), or that brings the whole file (status 200)."""
    if partial is not None:
        offset = part.stat().st_size
        try:
            response = _get(url, {"Range": f"bytes={offset}-", "If-Range": partial.validator})
        except HTTPError as error:
            if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
        else:
            wanted = f"bytes {offset}-{partial.total_bytes - 1}/{partial.total_bytes}"
            if response.status != HTTPStatus.PARTIAL_CONTENT or response.headers.get("Content-Range") == wanted:
                return response
            response.close()
    return _get(url, {})


def _get(url: str, headers: dict[str, str]) -> HTTPResponse:
    request = Request(url, headers={"User-Agent": "rspnet", **headers})  # noqa: S310  (_release_url checked the scheme)
    return cast(HTTPResponse, urlopen(request, timeout=TIMEOUT_SECONDS))  # noqa: S310


def _remember(state: Path, url: str, total_bytes: int, response: HTTPResponse) -> None:
    """Note what the partial file belongs to; without a validator it cannot be resumed safely, so nothing is noted."""
    state.unlink(missing_ok=True)
    tag = response.headers.get("ETag")
    validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
    if validator:
        partial = PartialDownload(url=url, total_bytes=total_bytes, validator=validator)
        replace_text(state, partial.model_dump_json())


def _append(response: HTTPResponse, part: Path, offset: int, total_bytes: int) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    progress = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
    with progress, part.open("ab") as file:
        task = progress.add_task(part.stem, total=total_bytes, completed=offset)
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            progress.advance(task, len(chunk))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record_hash(url: str, path: Path) -> None:
    """Trust on first use: the release publishes no hashes."""
    record = _beside(path, ".json")
    if not record.is_file():
        replace_text(record, CacheRecord(url=url, sha256=_sha256(path)).model_dump_json(indent=2) + "\n")


def _check_hash(path: Path) -> None:
    record = _beside(path, ".json")
    again = f"delete {path} and {record.name} beside it, then pull again"
    try:
        expected = CacheRecord.model_validate_json(record.read_bytes()).sha256
    except ValidationError as error:
        raise WeightsError(f"{record} is not a record of a download; {again}") from error
    if (found := _sha256(path)) != expected:
        raise WeightsError(f"{path} has changed since its first use: SHA-256 {found}, recorded {expected}; {again}")
