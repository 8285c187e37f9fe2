"""Which containers are read, by their first bytes: the one table that the scan, the probe and the docs share.

FFmpeg guesses what a file is and obeys it: a text file named ``x.mp4`` may be a playlist that makes it open other files
or addresses. So a file is opened only if it starts like one of these, and FFmpeg is told which demuxer to use.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

HEAD_BYTES = 2048
"""What is looked at."""


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file: ``matches`` says whether a file's first HEAD_BYTES are of it."""

    title: str
    demuxer: str
    """FFmpeg's name."""
    suffixes: tuple[str, ...]
    """With one of these a file counts as a video whatever it holds: damage is reported, not passed over."""
    matches: Callable[[bytes], bool]
    needs_suffix: bool = False
    """A raw stream, whose first bytes are too common to be believed under another suffix."""


def _starts_with(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _nal_units(types: set[int], type_of: Callable[[int], int]) -> Callable[[bytes], bool]:
    """A stream of H.264 or HEVC that starts with one of these units."""
    start = re.compile(rb"\x00{2,4}\x01(.)", re.DOTALL)
    return lambda head: (found := start.match(head)) is not None and type_of(found[1][0]) in types


_MOV_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"}
_BRANDS_OF_PICTURES = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif", b"crx "}
_BRANDS_OF_SOUND = {b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ", b"aax ", b"aaxc"}


def _is_mov(head: bytes) -> bool:
    is_other = head[4:8] == b"ftyp" and head[8:12] in _BRANDS_OF_PICTURES | _BRANDS_OF_SOUND
    return head[4:8] in _MOV_BOXES and not is_other


_THREE_PACKETS = re.compile(rb"(.{4})?G.{187}G.{187}G|.{4}G.{191}G.{191}G", re.DOTALL)
_FIVE_PACKETS = re.compile(b"|".join(b"G" + b"(?:.{%d}G){4}" % (size - 1) for size in (188, 192, 204)), re.DOTALL)
"""Plain packets, those of cameras with a time code, and those with a checksum, from the middle of one on."""


def _is_transport_stream(head: bytes) -> bool:
    if _THREE_PACKETS.match(head):
        return True
    return _FIVE_PACKETS.search(head) is not None and not is_text(head)


def is_text(head: bytes) -> bool:
    """Whether a file starts with plain text."""
    return all(32 <= byte < 127 or byte in b"\t\r\n\f" for byte in head[:256])


_OGG_VIDEO = re.compile(rb"\x80theora|\x01video\x00\x00\x00|BBCD\x00|OVP80", re.DOTALL)
"""Of the first pages, which name the codec of every stream."""
_MPEG4_START = re.compile(rb"\x00\x00\x01[\xb0\xb5\x00-\x2f]")

CONTAINERS = (
    Container("MP4, QuickTime, 3GP", "mov", (".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4v", ".mj2"), _is_mov),
    Container("Matroska, WebM", "matroska", (".mkv", ".webm", ".mk3d"), _starts_with(b"\x1a\x45\xdf\xa3")),
    Container("AVI", "avi", (".avi", ".divx"), lambda head: head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX")),
    Container("MPEG transport stream", "mpegts", (".ts", ".mts", ".m2ts", ".m2t"), _is_transport_stream),
    Container("MPEG program stream", "mpeg", (".mpg", ".mpeg", ".mpe", ".vob"), _starts_with(b"\x00\x00\x01\xba")),
    Container("Video CD", "mpeg", (), lambda head: head[:4] == b"RIFF" and head[8:12] == b"CDXA"),
    Container("MPEG-1 and MPEG-2, raw", "mpegvideo", (".m1v", ".m2v"), _starts_with(b"\x00\x00\x01\xb3")),
    Container("Flash", "flv", (".flv",), _starts_with(b"FLV\x01")),
    Container("Windows Media", "asf", (".wmv", ".asf"), _starts_with(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")),
    Container("Ogg", "ogg", (".ogv", ".ogm"), lambda head: head[:4] == b"OggS" and bool(_OGG_VIDEO.search(head))),
    Container("GIF", "gif", (), _starts_with(b"GIF87a", b"GIF89a")),
    Container("IVF", "ivf", (".ivf",), _starts_with(b"DKIF")),
    Container("MXF", "mxf", (".mxf",), _starts_with(b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02")),
    Container("RealMedia", "rm", (".rm", ".rmvb"), _starts_with(b".RMF")),
    Container("YUV4MPEG2", "yuv4mpegpipe", (".y4m",), _starts_with(b"YUV4MPEG2")),
    Container("DV, raw", "dv", (".dv", ".dif"), _starts_with(b"\x1f\x07\x00\x3f", b"\x1f\x07\x00\xbf")),
    Container("NUT", "nut", (".nut",), _starts_with(b"nut/multimedia container")),
    Container("Windows TV", "wtv", (".wtv",), _starts_with(b"\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e")),
    Container("Motion JPEG, raw", "mjpeg", (".mjpeg", ".mjpg"), _starts_with(b"\xff\xd8\xff"), needs_suffix=True),
    Container(
        "H.264, raw", "h264", (".h264", ".264"), _nal_units({1, 5, 6, 7, 9}, lambda byte: byte & 31), needs_suffix=True
    ),
    Container(
        "HEVC, raw",
        "hevc",
        (".hevc", ".h265", ".265"),
        _nal_units({32, 33, 35, 39}, lambda byte: byte >> 1 & 63),
        needs_suffix=True,
    ),
    Container("MPEG-4, raw", "m4v", (".m4v", ".mp4v"), lambda head: bool(_MPEG4_START.match(head)), needs_suffix=True),
    Container("AV1, raw", "obu", (".obu",), _starts_with(b"\x12\x00\x0a"), needs_suffix=True),
)
"""In the order in which they are tried."""

VIDEO_SUFFIXES = frozenset(suffix for container in CONTAINERS for suffix in container.suffixes)
SOUND_SUFFIXES = frozenset({
    ".3ga", ".aac", ".m4a", ".m4b", ".m4p", ".m4r", ".mka", ".mks", ".mp3", ".oga", ".opus", ".ra", ".spx", ".weba",
    ".wma",
})  # fmt: skip
"""Sound and subtitles in containers that also carry video: never opened."""
SUFFIXES_OF_TEXTS_TOO = frozenset({".ts", ".mts"})
"""TypeScript, and translations of Qt: a text of this name is no video that failed."""

_NOT_VIDEO = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"ID3": "an MP3 sound file",
    b"fLaC": "a FLAC sound file",
    b"OggS": "an Ogg sound file",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"#EXTM3U": "a playlist",
    b"ffconcat": "a playlist",
}
_NOT_READ = {
    b"FWS": "Shockwave Flash",
    b"CWS": "Shockwave Flash",
    b"BIKi": "Bink",
    b"MLVI": "Magic Lantern raw video",
}


def demuxer_of(head: bytes, suffix: str) -> str | None:
    """FFmpeg's demuxer for a file with these first bytes and this suffix (lower case, with its dot); else None."""
    for container in CONTAINERS:
        if container.matches(head) and (not container.needs_suffix or suffix in container.suffixes):
            return container.demuxer
    return None


def why_not(head: bytes) -> str:
    """Why a file with these first bytes, which no container matches, is not read; a clause."""
    if (name := _unread_container(head)) is not None:
        return f"{name} is a container that is not supported: convert it, for instance with ffmpeg to MP4"
    return f"not a video file: {_describe(head)}"


def _describe(head: bytes) -> str:
    if not head.strip(b"\x00"):
        return "it starts with zeros" if head else "the file is empty"
    if head[4:8] == b"ftyp":
        return "it is a photograph" if head[8:12] in _BRANDS_OF_PICTURES else "it is a sound file"
    for magic, name in _NOT_VIDEO.items():
        if head.startswith(magic):
            return f"it is {name}"
    return "it starts with text" if is_text(head) else "no known container's signature (MP4, AVI, Matroska, MPEG, ...)"


def _unread_container(head: bytes) -> str | None:
    if head[4:7] == b"RED" and head[7:8].isdigit():
        return "REDCODE"
    return next((name for magic, name in _NOT_READ.items() if head.startswith(magic)), None)
