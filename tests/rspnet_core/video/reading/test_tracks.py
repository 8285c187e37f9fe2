"""Which video track is the video, by the rule that the docs state."""

from pathlib import Path

import pytest

from rspnet_core.errors import VideoError
from rspnet_core.video.reading.decode import probe, read_poster
from tests.rspnet_core.video.ffmpeg_oracle import ffmpeg, needs_ffmpeg

pytestmark = needs_ffmpeg

COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255)}


def write_tracks(path: Path, *tracks: str, flagged: tuple[int, ...] = (), more: tuple[str, ...] = ()) -> Path:
    """A file of one-coloured tracks, ``COLOUR:WIDTHxHEIGHT`` each; ``flagged`` are the default ones, from 0."""
    inputs = [("-f", "lavfi", "-i", f"color={track.replace(':', ':s=')}:r=10:d=0.4") for track in tracks]
    flags = [(f"-disposition:v:{i}", "default" if i in flagged else "0", "-map", str(i)) for i in range(len(tracks))]
    ffmpeg(*sum(inputs, ()), *sum(flags, ()), "-c:v", "libx264", "-pix_fmt", "yuv420p", *more, path)
    return path


def colour_of(path: Path) -> str:
    """The colour that is nearest to the poster's."""
    mean = read_poster(path, 16).mean(axis=(0, 1))
    return min(COLOURS, key=lambda name: sum(abs(mean - COLOURS[name])))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize(
    ("flagged", "colour", "number"),
    [((0,), "red", 1), ((2,), "blue", 3), ((0, 1), "lime", 2), ((0, 2), "blue", 3)],
)
def test_the_flagged_track_is_the_video_else_the_largest(tmp_path, suffix, flagged, colour, number):
    tracks = ("red:64x48", "lime:128x96", "blue:96x64")
    path = write_tracks(tmp_path / f"a.{suffix}", *tracks, flagged=flagged)
    info = probe(path)
    assert colour_of(path) == colour
    assert (info.track, info.num_tracks) == (number, 3)
    assert f"{info.width}x{info.height}" == tracks[number - 1].split(":")[1]


def test_without_flags_the_largest_track_is_the_video(tmp_path):
    path = write_tracks(tmp_path / "a.ts", "red:64x48", "lime:128x96", "blue:128x96")
    assert colour_of(path) == "lime" and probe(path).track == 2


def test_a_cover_is_no_track_however_large(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:s=512x512", "-frames:v", "1", tmp_path / "cover.png")
    film = write_tracks(tmp_path / "film.mp4", "blue:64x48")
    path = tmp_path / "a.mp4"
    cover = ("-i", tmp_path / "cover.png", "-map", "1", "-map", "0", "-c", "copy", "-disposition:v:0", "attached_pic")
    ffmpeg("-i", film, *cover, path)
    info = probe(path)
    assert colour_of(path) == "blue" and (info.track, info.num_tracks) == (1, 1)


def test_a_cover_alone_is_no_video(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", tmp_path / "cover.png")
    song = ("-f", "lavfi", "-i", "sine", "-t", "1", "-c:v", "png", "-disposition:v", "attached_pic")
    ffmpeg("-i", tmp_path / "cover.png", *song, tmp_path / "a.mp4")
    with pytest.raises(VideoError, match="no video stream"):
        probe(tmp_path / "a.mp4")
