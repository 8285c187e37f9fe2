import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.errors import VideoError
from rspnet_core.video.reading import sniff
from rspnet_core.video.reading.containers import demuxer_of, why_not
from rspnet_core.video.reading.sniff import container_of, looks_like_video
from tests.rspnet_core.video.made_videos import make_video


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("a.mp4", "libx264", "mov"),
        ("a.mov", "libx264", "mov"),
        ("a.mkv", "libx264", "matroska"),
        ("a.webm", "libvpx-vp9", "matroska"),
        ("a.avi", "mpeg4", "avi"),
        ("a.ts", "libx264", "mpegts"),
        ("a.m2ts", "libx264", "mpegts"),
        ("a.mpg", "mpeg2video", "mpeg"),
        ("a.flv", "libx264", "flv"),
        ("a.wmv", "wmv2", "asf"),
        ("a.ivf", "libvpx", "ivf"),
    ],
)
def test_containers_are_known_by_content_whatever_the_name(tmp_path, name, codec, container):
    video = make_video(tmp_path / name, num_frames=30, codec=codec).rename(tmp_path / "unnamed")
    assert looks_like_video(video)
    assert container_of(video) == container


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello, this is no film\n", "it starts with text"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n", "it is a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "it is a playlist"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "it is a PNG picture"),
        (bytes(1000), "it starts with zeros"),
        (bytes(range(128, 256)), "no known container"),
        (b"\x00\x00\x00\x20ftypheic" + bytes(100), "it is a photograph"),
        (b"\x00\x00\x00\x18ftypcrx " + bytes(100), "it is a photograph"),
        (b"\x00\x00\x00\x18ftypM4A " + bytes(100), "it is a sound file"),
        (b"OggS\x00\x02" + bytes(22) + b"\x01vorbis" + bytes(100), "it is an Ogg sound file"),
        (b"CWS\x0a" + bytes(range(128, 256)), "Shockwave Flash is a container that is not supported"),
    ],
)
def test_what_is_no_video_is_refused_with_a_plain_reason(tmp_path, content, reason):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    assert not looks_like_video(path)
    with pytest.raises(VideoError, match=reason):
        container_of(path)


def test_fifos_sockets_folders_and_devices_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.mp4"))
        for path in (tmp_path / "fifo.mp4", tmp_path / "socket.mp4", tmp_path, "/dev/zero"):
            assert not looks_like_video(path)
            with pytest.raises(VideoError, match="not a regular file"), sniff.open_regular(Path(path)):
                pass


def test_what_the_disk_refuses_while_it_is_read_is_no_video():
    path = Path("/proc/self/mem")  # a regular file that opens, and whose first byte cannot be read
    if not path.exists():
        pytest.skip("needs Linux's /proc")
    assert not looks_like_video(path)
    with pytest.raises(VideoError, match="cannot be read: Input/output error"):
        container_of(path)


def test_a_fifo_that_takes_a_files_place_after_the_check_is_an_empty_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo.mp4")
    writer = os.open(tmp_path / "fifo.mp4", os.O_RDWR)  # with a writer, an empty FIFO has no end
    monkeypatch.setattr(sniff.stat, "S_ISREG", lambda mode: True)
    try:
        assert not looks_like_video(tmp_path / "fifo.mp4")
    finally:
        os.close(writer)


def test_a_missing_file_is_no_video(tmp_path):
    assert not looks_like_video(tmp_path / "nowhere.mp4")
    assert not looks_like_video("name with a \0 in it")


@settings(max_examples=200)
@given(st.binary(max_size=600))
def test_any_bytes_are_either_a_container_or_described(head):
    for suffix in ("", ".h264", ".mjpeg"):
        assert demuxer_of(head, suffix) is not None or why_not(head)
