"""Pictures and players of videos, by opaque ids: the only way from a browser to a file.

    id of a library's video, or of a visitor's query --locate--> file and what names its content
        --sandbox--> poster (JPEG)     --child process--> proxy (H.264 MP4)     both kept by that name

No path ever comes from a request, and no original is ever sent: browsers do not play xvid, and the originals are not
the visitor's business.
"""

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import rspnet_core
from app.serving.media_cache import FileCache
from rspnet_core.errors import NotAllowed, QueryNotFound, VideoError
from rspnet_core.text import printable
from rspnet_core.video.making.encode import remove_left_overs
from rspnet_core.video.reading.sandbox import DecodePool

LIBRARY_ID = re.compile("[0-9a-f]{16}")
QUERY_ID = re.compile("q[0-9a-f]{32}")
POSTER_HEIGHT = 180
PROXY_SHORT_SIDE = 360
PROXY_TIMEOUT_SECONDS = 600
LIMIT_BYTES = 2 * 2**30
_MOST_QUERIES = 1000
_MAX_REASON_BYTES = 300


@dataclass(frozen=True)
class Source:
    """A file with what names its content."""

    path: Path
    content_hash: str
    """Hexadecimal."""
    visitor_key: str | None = None
    """Whose upload it is; None for a video of the library."""


class Media:
    """Posters and proxies, made once in child processes."""

    def __init__(
        self, folder: Path, uploads: Path, find_video: Callable[[str], Source], *, limit_bytes: int = LIMIT_BYTES
    ) -> None:
        """``find_video`` gives the file of a library's video by its id, or raises QueryNotFound.

        What is made of the library's videos is kept in ``folder``, what is made of uploads in ``uploads``.
        """
        self._cache = FileCache(folder, limit_bytes)
        self._of_uploads = FileCache(uploads, limit_bytes)
        self._find_video = find_video
        self._queries: OrderedDict[str, Source] = OrderedDict()
        self._lock = threading.Lock()
        self._posters = DecodePool(1, timeout_seconds=30)
        self._one_at_a_time = threading.Lock()
        self._proxy: subprocess.Popen[bytes] | None = None
        self._closed = False

    def close(self) -> None:
        """End the decoder processes, those at work too."""
        with self._lock:
            self._closed = True
            if self._proxy is not None:
                self._proxy.kill()
        self._posters.close()

    def add_query(self, path: Path, content_hash: str, visitor_key: str) -> str:
        """Show this file to its visitor, though it is not of the library; returns its id, another for each visitor."""
        name = hashlib.sha256(f"{visitor_key} {content_hash}".encode()).hexdigest()
        media_id = f"q{name[:32]}"
        with self._lock:
            self._queries[media_id] = Source(path, name, visitor_key)
            self._queries.move_to_end(media_id)
            while len(self._queries) > _MOST_QUERIES:
                self._queries.popitem(last=False)
        return media_id

    def locate(self, media_id: str, visitor_key: str | None = None) -> Source:
        """The file behind an id. Raises QueryNotFound for what is none, NotAllowed for another visitor's upload."""
        if LIBRARY_ID.fullmatch(media_id):
            return self._find_video(media_id)
        with self._lock:
            source = self._queries.get(media_id) if QUERY_ID.fullmatch(media_id) else None
        if source is None:
            raise QueryNotFound("no such video; search again")
        if source.visitor_key != visitor_key:
            raise NotAllowed("this video was uploaded by another visitor")
        return source

    def poster(self, media_id: str, visitor_key: str | None = None) -> Path:
        """JPEG of the middle frame, 180 pixels high. Raises VideoError, and as :meth:`locate`."""
        source = self.locate(media_id, visitor_key)

        def make(target: Path) -> None:
            picture = Image.fromarray(self._posters.poster(source.path, POSTER_HEIGHT))
            picture.save(target, "JPEG", quality=82)

        return self._cache_of(source).get(f"{source.content_hash[:32]}.jpg", make)

    def proxy(self, media_id: str, visitor_key: str | None = None) -> Path:
        """H.264 MP4 with a short side of at most 360 pixels, without sound. Raises as :meth:`poster`."""
        source = self.locate(media_id, visitor_key)

        def make(target: Path) -> None:
            with self._one_at_a_time:
                self._run_proxy(source.path, target)

        return self._cache_of(source).get(f"{source.content_hash[:32]}.mp4", make)

    def _cache_of(self, source: Source) -> FileCache:
        return self._cache if source.visitor_key is None else self._of_uploads

    def _run_proxy(self, source: Path, target: Path) -> None:
        """Make a proxy in a child process; raises VideoError with its reason."""
        with self._lock:
            if self._closed:
                raise VideoError("cannot be shown: the app is ending")
            process = self._proxy = _start_proxy(source, target)
        try:
            process.wait(PROXY_TIMEOUT_SECONDS)
            reason = _printed(process) or "decoding stopped the decoder process"
        except subprocess.TimeoutExpired:
            reason = f"took longer than {PROXY_TIMEOUT_SECONDS} s"
        finally:
            with process:
                process.kill()
            self._proxy = None
            remove_left_overs(target)
        if process.returncode != 0 or not target.is_file():
            raise VideoError(f"cannot be shown: {reason}")


def _start_proxy(source: Path, target: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "app.serving.proxy", str(source), str(target), str(PROXY_SHORT_SIDE)]
    here = str(Path(rspnet_core.__file__).parents[1])
    python_path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module, absolute paths)
        [*command, str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": python_path, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        bufsize=0,
    )


def _printed(process: subprocess.Popen[bytes]) -> str:
    """The beginning of what a process that has ended printed: however much a hostile one prints, we hold little."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return printable((process.stdout.read(_MAX_REASON_BYTES) or b"").decode("utf-8", "replace").strip())
