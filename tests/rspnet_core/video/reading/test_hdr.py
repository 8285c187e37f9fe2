"""HDR is shown as zscale shows it, in each way of reading."""

from pathlib import Path

import numpy as np
import pytest

from rspnet_core.config import ClipGeometry
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.video.reading.decord_reader import reads_exactly
from rspnet_core.video.reading.probe import read_packets
from rspnet_core.video.sampling import even_clip_indices
from tests.rspnet_core.video.ffmpeg_oracle import mean_difference, needs_ffmpeg, shown, write

CLIPS = ClipGeometry(num_clips=2, frames_per_clip=2, size=64)
TO_SDR = "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p,"
NAMES = {"pq": "smpte2084", "hlg": "arib-std-b67", "wide": "bt709"}

pytestmark = needs_ffmpeg


def write_hdr(path: Path, kind: str, *codec: str, pixels: str = "yuv420p10le", nits: int = 203) -> Path:
    """A standard picture whose white is stored as ``nits``, in the gamut of BT.2020."""
    transfer = NAMES[kind]
    sdr = "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p,setparams=color_primaries=bt709:color_trc=bt709"
    hdr = f"zscale=p=bt2020:t={transfer}:m=2020_ncl:r=tv:npl={nits},format={pixels}"
    chain = f"{sdr}:colorspace=bt709:range=tv,zscale=t=linear:npl=203,format=gbrpf32le,{hdr}"
    states = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
    return write(path, "-vf", chain, *codec, *states, size="128x96", frames=4)


X265 = ("-c:v", "libx265", "-crf", "4", "-x265-params", "log-level=none:pools=none")
WAYS = {
    "pq.mp4": ("pq", *X265),
    "hlg.mp4": ("hlg", *X265),
    "hlg.ts": ("hlg", *X265),
    "wide.mp4": ("wide", *X265),
    "pq.webm": ("pq", "-c:v", "libvpx-vp9", "-crf", "4", "-b:v", "0", "-deadline", "realtime"),
}


@pytest.mark.parametrize("name", WAYS)
def test_hdr_is_mapped_as_zscale_maps_it(tmp_path, name):
    path = write_hdr(tmp_path / name, *WAYS[name])
    frames = shown(path, CLIPS.size, filters=TO_SDR)
    wanted = even_clip_indices(len(frames), CLIPS.num_clips, CLIPS.frames_per_clip, 1)
    clips = read_clips(path, CLIPS).frames
    assert mean_difference(clips, frames[wanted]) < 4
    as_if_it_were_sdr = shown(path, CLIPS.size)
    if not name.startswith("wide"):
        assert mean_difference(clips, as_if_it_were_sdr[wanted]) > 10


def test_what_is_brighter_than_white_is_white(tmp_path):
    path = write_hdr(tmp_path / "a.mp4", "pq", *X265, nits=1000)
    frames = shown(path, CLIPS.size, filters=TO_SDR)
    wanted = even_clip_indices(len(frames), CLIPS.num_clips, CLIPS.frames_per_clip, 1)
    clips = read_clips(path, CLIPS).frames
    assert np.median(clips) == 255 and abs(int(clips.mean()) - int(frames[wanted].mean())) < 16


def test_eight_bits_in_h264_are_mapped_too(tmp_path):
    path = write_hdr(tmp_path / "a.mp4", "pq", "-c:v", "libx264", "-crf", "4", pixels="yuv420p")
    packets = read_packets(path)
    assert packets.is_hdr and not reads_exactly(packets, 64)
    assert mean_difference(read_clips(path, CLIPS).frames[0, :1], shown(path, CLIPS.size, filters=TO_SDR)[:1]) < 5


@pytest.mark.parametrize(
    ("pixels", "most"), [("gbrp10le", 4), ("yuv444p12le", 4), ("yuv422p10le", 4), ("gray10le", 4.5)]
)
def test_every_layout_of_pixels_is_mapped(tmp_path, pixels, most):
    path = write_hdr(tmp_path / "a.mkv", "pq", "-c:v", "ffv1", pixels=pixels)
    clips = read_clips(path, CLIPS).frames
    frames = shown(path, CLIPS.size, filters=TO_SDR.replace("yuv420p", "yuv444p"))
    assert mean_difference(clips[0, :1], frames[:1]) < most
