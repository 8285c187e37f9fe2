"""Files that would make a decoder open another file or an address, and what tells whether one did."""

import os
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from rspnet_core.video.making.encode import write_video
from tests.rspnet_core.video.made_videos import make_video

SECRET = (255, 0, 255)
"""Colour of the pictures that lie outside of the data folder."""


@dataclass
class Listener:
    """A port of this machine, TCP and UDP, and who came."""

    port: int
    visits: list[str] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen on 127.0.0.1 and take note of whatever comes."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        listener = Listener(tcp.getsockname()[1])
        udp.bind(("127.0.0.1", listener.port))
        ending = threading.Event()

        def listen() -> None:
            with selectors.DefaultSelector() as ready:
                ready.register(tcp, selectors.EVENT_READ)
                ready.register(udp, selectors.EVENT_READ)
                while True:
                    for key, _ in ready.select(0.05):
                        if key.fileobj is tcp:
                            tcp.accept()[0].close()
                        else:
                            udp.recv(1 << 16)
                        listener.visits.append("tcp" if key.fileobj is tcp else "udp")
                    if ending.is_set():
                        return

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield listener
        finally:
            ending.set()
            thread.join()


def write_secrets(folder: Path) -> Path:
    """A film and a picture, all of them of one colour, and a text; gives the film."""
    folder.mkdir()
    write_video(folder / "secret.mp4", [np.full((128, 128, 3), SECRET, np.uint8)] * 20)
    Image.new("RGB", (128, 128), SECRET).save(folder / "secret.jpg")
    (folder / "secret.txt").write_text("root:x:0:0\n")
    return folder / "secret.mp4"


def shows_secret(frames: np.ndarray) -> bool:
    """Whether any of the frames uint8 (..., H, W, 3) has mostly the colour of the secrets."""
    away = np.abs(frames.astype(np.int16) - np.array(SECRET)).max(axis=-1)
    return bool(((away < 40).mean(axis=(-2, -1)) > 0.5).any())


def write_references(data: Path, secret: Path, port: int) -> None:
    """Every way we know of to name another file or an address, as text, in a video, by the name, by a link."""
    data.mkdir()
    video = make_video(data / "good.mp4", num_frames=20, width=128, height=128)
    for number, address in enumerate(_addresses(secret, port)):
        for name, text in _texts(address).items():
            (data / f"{number} {name}.mp4").write_text(text)
            (data / f"{number} {name}").write_text(text)
    for number, address in enumerate((f"http://127.0.0.1:{port}/x.mp4", str(secret))):
        for name, entry in {"url": _url_entry(address), "alias": _alias_entry(address)}.items():
            (data / f"{number} reference {name}.mov").write_bytes(_with_data_reference(video.read_bytes(), entry))
    (data / "polyglot.mp4").write_bytes(
        _with_text_in_front(video.read_bytes(), _texts(f"rtp://127.0.0.1:{port}")["sdp"])
    )
    for name in (
        f"http:127.0.0.1:{port}.mp4",
        f"tcp:127.0.0.1:{port}.mp4",
        f"rtp:127.0.0.1:{port}",
        "http:..",
        "file:good.mp4",
        "concat:good.mp4|good.mp4",
        "subfile,,start,0,end,9,,:good.mp4",
        "async:cache:good.mp4",
        "clip%d.jpg",
        "clip%*.jpg",
        "-i",
    ):
        os.link(video, data / name)
    for number in range(20):
        (data / f"clip{number}.jpg").symlink_to(secret.with_suffix(".jpg"))
    folder = data / "http:" / f"127.0.0.1:{port}"
    folder.mkdir(parents=True)
    os.link(video, folder / "x.mp4")
    _write_links(data, secret)


def _write_links(data: Path, secret: Path) -> None:
    (data / "link.mp4").symlink_to(secret)
    (data / "chain.mp4").symlink_to(data / "link.mp4")
    (data / "relative.mp4").symlink_to(Path("..") / secret.parent.name / secret.name)
    (data / "folder").symlink_to(secret.parent)
    (data / "loop.mp4").symlink_to(data / "loop.mp4")
    (data / "nowhere.mp4").symlink_to(data / "absent")
    (data / "zero.mp4").symlink_to("/dev/zero")
    (data / "memory.mp4").symlink_to("/proc/self/mem")
    os.mkfifo(data / "fifo.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(data)  # the name of a socket is short
        server.bind("socket.mp4")
        os.chdir(here)


def _addresses(secret: Path, port: int) -> list[str]:
    schemes = ("http", "tcp", "udp", "rtp", "rtsp", "ftp", "hls+http", "gopher", "srt")
    return [
        *(f"{scheme}://127.0.0.1:{port}/x.mp4" for scheme in schemes),
        str(secret),
        f"file://{secret}",
        f"concat:{secret}|{secret}",
        f"subfile,,start,0,end,0,,:{secret}",
        f"../{secret.parent.name}/{secret.name}",
    ]


def _texts(address: str) -> dict[str, str]:
    host, _, port = address.partition("://")[2].partition("/")[0].partition(":")
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n",
        "hls key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{address}"\n#EXTINF:9,\ngood.mp4\n#EXT-X-ENDLIST\n',
        "hls map": f'#EXTM3U\n#EXT-X-MAP:URI="{address}"\n#EXTINF:9,\ngood.mp4\n#EXT-X-ENDLIST\n',
        "concat": f"ffconcat version 1.0\nfile '{address}'\n",
        "sdp": f"v=0\r\no=- 0 0 IN IP4 {host}\r\ns=x\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=video {port or 9} RTP/AVP 33\r\n",
        "dash": f'<MPD profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><BaseURL>{address}</BaseURL></MPD>',
        "asx": f'<asx version="3.0"><entry><ref href="{address}"/></entry></asx>',
        "redirect": f"[Reference]\r\nRef1={address}\r\n",
        "pls": f"[playlist]\nFile1={address}\n",
        "vobsub": f"# VobSub index file, v7\nsize: 9x9\nid: en, index: 0\n# {address}\n",
        "after a head": f"\0\0\0\x14ftypisom\0\0\0\0isom\n#EXTM3U\n#EXTINF:9,\n{address}\n",
    }


def _url_entry(address: str) -> bytes:
    content = b"url " + bytes(4) + address.encode() + b"\0"
    return struct.pack(">I", 4 + len(content)) + content


def _alias_entry(path: str) -> bytes:
    """A Macintosh alias record with an absolute path, as FFmpeg reads them."""
    name, path_bytes = path.rpartition("/")[2].encode(), f"disk:{path.lstrip('/').replace('/', ':')}".encode()
    record = bytes(10) + b"\x04" + b"disk".ljust(27, b"\0") + bytes(12)
    record += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    record += struct.pack(">HH", 2, len(path_bytes)) + path_bytes + bytes(len(path_bytes) % 2) + b"\xff\xff\0\0"
    content = b"alis" + bytes(4) + record
    return struct.pack(">I", 4 + len(content)) + content


def _with_data_reference(video: bytes, entry: bytes) -> bytes:
    """The video, whose index is at its end, saying that its samples lie elsewhere."""
    start = video.index(b"dref") - 4
    (size,) = struct.unpack_from(">I", video, start)
    box = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    changed = bytearray(video[:start] + box + video[start + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = video.rindex(parent, 0, start) - 4
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", video, place)[0] + len(box) - size)
    return bytes(changed)


def _with_text_in_front(video: bytes, text: str) -> bytes:
    """The video with a text in a box behind its first one: what its samples' places are is corrected."""
    (size,) = struct.unpack_from(">I", video, 0)
    box = struct.pack(">I4s", 8 + 5000, b"zzzz") + f"\n{text}\n".encode().ljust(5000)
    changed = bytearray(video[:size] + box + video[size:])
    changed[8:12] = b"jp2 "  # a brand that FFmpeg takes for a picture's when it guesses
    table = changed.rindex(b"stco") + 8
    for place in range(table + 4, table + 4 + 4 * struct.unpack_from(">I", changed, table)[0], 4):
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", changed, place)[0] + len(box))
    return bytes(changed)


@dataclass(frozen=True)
class Held:
    """What this process holds of the machine."""

    megabytes: float
    """Resident memory, that of all child processes included."""
    processes: frozenset[int]
    """Child processes, zombies too."""
    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> "Held":
        """Measure (Linux)."""
        children = frozenset(_descendants(os.getpid()))
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        pages = sum(_resident_pages(pid) for pid in (os.getpid(), *children))
        descriptors = len(list(Path("/proc/self/fd").iterdir())) - 1  # the listing's own
        return cls(pages * page_bytes / 1e6, children, threading.active_count(), descriptors)


def _descendants(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found, number = {pid}, 0
    while number < len(found):
        number = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found - {pid}


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
