"""How many frames a container declares. A file that holds fewer was cut, or its copying stopped.

MP4, AVI and IVF declare frames; Matroska, Flash, MXF, RealMedia and Windows Media declare a duration, of the longest of
their streams. The other containers declare nothing that FFmpeg does not guess from the file's size.
"""

from contextlib import suppress
from pathlib import Path

import av
from av.container import InputContainer

from rspnet_core.video.reading.sniff import open_regular

_DECLARE_A_DURATION = {"matroska", "flv", "mxf", "rm"}
_LEAST_MISSING_SECONDS = 0.5
_MOST_FRAMES = 1 << 53
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEAD_BYTES = 1 << 16


def declared_by_duration(path: Path, demuxer: str, container: InputContainer, end_seconds: float, fps: float) -> int:
    """Frames at ``fps`` of the duration that the container declares; 0 where it does not, or its streams fill it.

    ``end_seconds`` is when the video's last frame goes.
    """
    seconds = _duration_of_asf(path) if demuxer == "asf" else _duration(container, demuxer)
    missing = max(_LEAST_MISSING_SECONDS, 4 / fps)
    if seconds - end_seconds <= missing or seconds - _end_of_sound(path, demuxer) <= missing:
        return 0
    return min(round(seconds * fps), _MOST_FRAMES)


def _duration(container: InputContainer, demuxer: str) -> float:
    return container.duration / av.time_base if demuxer in _DECLARE_A_DURATION and container.duration else 0.0


def _duration_of_asf(path: Path) -> float:
    """What the header of Windows Media says, which FFmpeg does not believe of a file that is shorter than it says."""
    with open_regular(path) as file:
        head = file.read(_ASF_HEAD_BYTES)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or at + 88 > len(head):
        return 0.0
    playing, preroll = head[at + 64 : at + 72], head[at + 80 : at + 88]
    return int.from_bytes(playing, "little") / 1e7 - int.from_bytes(preroll, "little") / 1e3


def _end_of_sound(path: Path, demuxer: str) -> float:
    """When the last packet of sound starts: a video that ends before its sound is whole."""
    latest = 0.0
    options = {"protocol_whitelist": "file"}
    with suppress(av.error.FFmpegError), av.open(str(path), format=demuxer, options=options) as container:
        for packet in container.demux(container.streams.audio) if container.streams.audio else ():
            if packet.pts is not None and packet.time_base is not None:
                latest = max(latest, float(packet.pts * packet.time_base))
    return latest
