"""What a frame shows: FFmpeg's own command is the oracle, for each way of reading."""

import struct
from pathlib import Path

import numpy as np
import pytest

from app.serving.proxy import write_proxy
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import VideoError
from rspnet_core.video.reading.decode import probe, read_clips, read_poster
from rspnet_core.video.reading.decord_reader import reads_exactly
from rspnet_core.video.reading.display import Display, Margins
from rspnet_core.video.reading.probe import read_packets
from rspnet_core.video.reading.pyav_reader import seeks_exactly
from rspnet_core.video.sampling import even_clip_indices
from tests.rspnet_core.video.ffmpeg_oracle import mean_difference, needs_ffmpeg, shown, shown_size, write

CLIPS = ClipGeometry(num_clips=2, frames_per_clip=4, size=64)
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
COLOURS = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709")
MATRICES = {
    "mirrored": (-1, 0, 0, 1),
    "upside down mirrored": (1, 0, 0, -1),
    "half a turn": (-1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed the other way": (0, -1, -1, 0),
    "clockwise": (0, 1, -1, 0),
    "counter-clockwise": (0, -1, 1, 0),
    "scaled": (2, 0, 0, 1),
    "an odd angle": (0.8, 0.6, -0.6, 0.8),
}

pytestmark = needs_ffmpeg


def difference(path: Path, *, filters: str = "") -> float:
    """Between our clips and the same frames as ffmpeg shows them."""
    frames = shown(path, CLIPS.size, filters=filters)
    wanted = even_clip_indices(len(frames), CLIPS.num_clips, CLIPS.frames_per_clip, 1)
    return mean_difference(read_clips(path, CLIPS).frames, frames[wanted])


def with_matrix(path: Path, matrix: tuple[float, float, float, float]) -> Path:
    """A copy whose track header holds this matrix."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    a, b, c, d = (int(value * 65536) for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    copy = path.with_stem(f"{path.stem}-turned")
    copy.write_bytes(content)
    return copy


@pytest.fixture(scope="module")
def anamorphic(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same wide picture stored narrow, for each way of reading; the way is the key."""
    folder = tmp_path_factory.mktemp("anamorphic")
    squeeze = ("-vf", "setsar=64/45")
    return {
        "decord": write(folder / "a.mp4", *squeeze, *H264),
        "seek": write(folder / "b.mp4", *squeeze, "-c:v", "libx265", "-x265-params", "log-level=none:pools=none"),
        "in order": write(folder / "c.mpg", *squeeze, "-c:v", "mpeg2video"),
    }


@pytest.mark.parametrize("way", ["decord", "seek", "in order"])
def test_pixels_that_are_not_square_are_stretched_in_all_readers(anamorphic, way):
    path = anamorphic[way]
    packets = read_packets(path)
    taken = "decord" if reads_exactly(packets, 64) else "seek" if seeks_exactly(packets) else "in order"
    assert taken == way
    info = probe(path)
    assert (info.width, info.height) == shown_size(path)
    assert difference(path) < 0.5
    assert info.width > 130 and read_poster(path, 32).shape == (32, round(info.width / 2), 3)


@pytest.mark.parametrize("name", MATRICES)
def test_the_whole_display_matrix_is_applied(anamorphic, name):
    path = with_matrix(anamorphic["decord"], MATRICES[name])
    info = probe(path)
    assert (info.width, info.height) == shown_size(path)
    assert difference(path) < 0.5


def test_what_is_said_of_turns_and_mirrors_makes_the_picture():
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    for name, matrix in list(MATRICES.items())[:7]:
        display = Display(matrix=tuple(map(int, matrix)))
        picture = display.mirrored(stored.swapaxes(0, 1) if display.transposes else stored)
        said = np.rot90(stored, display.rotation_degrees // 90)
        np.testing.assert_array_equal(picture, said[:, ::-1] if display.is_mirrored else said, err_msg=name)


def test_a_proxy_is_shown_like_the_frames(anamorphic, tmp_path):
    path = with_matrix(anamorphic["seek"], (0, 1, 1, 0))
    write_proxy(path, tmp_path / "proxy.mp4", 48)
    proxy = probe(tmp_path / "proxy.mp4")
    info = probe(path)
    assert (info.width, info.height) == (45, 96)  # a small video is not enlarged, and H.264 wants even numbers
    assert (proxy.width, proxy.height) == (46, 96)
    clips, small = read_clips(path, CLIPS).frames, read_clips(tmp_path / "proxy.mp4", CLIPS).frames
    mirrored = small[..., ::-1, :]
    assert mean_difference(clips, small) < mean_difference(clips, mirrored) / 2  # it is compressed


def test_matroska_crops(tmp_path):
    path = write(tmp_path / "a.mkv", *H264, *COLOURS)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x55\xb0")  # the track's colours make room
    room = 3 + (content[at + 2] & 0x7F)
    crops = b"\x54\xcc\x81\x08" + b"\x54\xbb\x81\x04" + b"\x54\xdd\x81\x10"
    content[at : at + room] = crops + b"\xec" + bytes([0x80 | room - len(crops) - 2]) + bytes(room - len(crops) - 2)
    path.write_bytes(content)
    assert read_packets(path).display.margins == Margins(8, 4, 16, 0)
    assert (probe(path).width, probe(path).height) == (72, 60)
    assert difference(path, filters="crop=72:60:8:4,") < 0.5


def test_the_clean_aperture_of_mp4_crops(tmp_path):
    path = write(tmp_path / "a.mp4", "-vf", "setsar=1", *H264, *COLOURS, "-movflags", "+write_colr")
    content = bytearray(path.read_bytes())
    start, stop = content.index(b"colr") - 4, content.index(b"stts") - 4  # colours, aspect and bit rates make room
    aperture = struct.pack(">I4s4IiIiI", 40, b"clap", 72, 1, 60, 1, -8, 2, 2, 1)
    content[start:stop] = aperture + struct.pack(">I4s", stop - start - 40, b"free") + bytes(stop - start - 48)
    path.write_bytes(content)
    assert read_packets(path).display.margins == Margins(8, 4, 16, 0)
    assert difference(path, filters="crop=72:60:8:4,") < 0.5


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_what_the_codec_crops_is_gone(tmp_path, codec):
    path = write(tmp_path / "a.mp4", "-c:v", codec, "-pix_fmt", "yuv420p", size="90x66")  # whole blocks are 96 x 80
    assert (probe(path).width, probe(path).height) == (90, 66)
    assert difference(path) < 0.5


@pytest.mark.parametrize("cut", range(0, 2000, 97))
def test_a_cut_or_hostile_header_crops_nothing(tmp_path, cut):
    path = write(tmp_path / "a.mkv", *H264, frames=2) if cut == 0 else tmp_path / "b.mkv"
    content = path.read_bytes() if cut == 0 else b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff" + b"\x16\x54\xae\x6b" * cut
    path.write_bytes(content[: max(cut, 900)])
    try:
        assert read_packets(path).display.margins == Margins(0, 0, 0, 0)
    except VideoError as error:
        assert str(error)


def test_a_crop_of_everything_and_a_matrix_of_nothing_are_none():
    assert Display(Margins(50, 0, 50, 0)).filters(96, 64, 64, 64) == [("scale", "64:64:flags=bicubic")]
    nothing = Display(matrix=(0, 0, 0, 0))
    assert nothing.is_upright and nothing.rotation_degrees == 0


def test_an_aspect_that_no_picture_has_is_refused(tmp_path):
    path = write(tmp_path / "a.mp4", "-vf", "setsar=1000", *H264, frames=2)
    with pytest.raises(VideoError, match="too narrow, the limit is 50:1"):
        read_clips(path, CLIPS)
