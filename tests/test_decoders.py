"""Decoders that the tests' template starts are held as those that the product starts."""

import os
from pathlib import Path

import pytest

from rspnet_core.config import ClipGeometry
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest
from tests.decoders import Decoder, Template
from tests.rspnet_core.video.made_videos import make_video


def test_a_decoder_of_the_template_is_confined_as_one_of_the_products(tmp_path: Path) -> None:
    if not Template.is_possible():
        pytest.skip("decoders of tests start as the product's do")
    video = make_video(tmp_path / "video.mp4")
    with DecodePool(1, memory_bytes=700 * 2**20) as pool:
        (result,) = pool.map([DecodeRequest(video, ClipGeometry(num_clips=1, size=32))])
        (child,) = pool._children.values()
        decoder, status = child._process, Path(f"/proc/{child._process.pid}")
        limits = {line[:26].strip(): line[26:].split()[:2] for line in (status / "limits").read_text().splitlines()}
        descriptors = {each.name for each in (status / "fd").iterdir()}
        assert isinstance(decoder, Decoder) and result.error is None
        assert os.getsid(decoder.pid) == os.getpgid(decoder.pid) == decoder.pid
        assert f"PPid:\t{os.getpid()}\n" in (status / "status").read_text()
        assert limits["Max data size"] == [str(700 * 2**20)] * 2
        assert limits["Max file size"] == limits["Max core file size"] == ["0", "0"]
        assert len(descriptors) <= 4 + 1, descriptors  # its pipes twice over, for what a library prints, and nothing's
    assert decoder.returncode == -9
