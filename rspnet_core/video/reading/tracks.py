"""Which video track of a file is the video: the one flagged as default, else the largest that is no cover or preview.

Where several are flagged, or none (MPEG-TS and AVI have no such flag), the largest of them by pixels, the first of
equals.
"""

from dataclasses import dataclass

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from rspnet_core.errors import NoVideoTrack, VideoError

_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


@dataclass(frozen=True, slots=True)
class Track:
    """The video track that is read."""

    stream: VideoStream
    number: int
    """1 for the first of the video tracks that are no covers or previews."""
    num_tracks: int
    place: int
    """From 0 among the tracks of the container's own table: pictures that are attached to a file stand in none."""


def choose_track(container: InputContainer) -> Track:
    """The track by the rule above. Raises NoVideoTrack where all tracks are others, VideoError where there is none."""
    streams = [stream for stream in container.streams.video if not stream.disposition & _PICTURES]
    if not streams:
        raise (NoVideoTrack if len(container.streams) else VideoError)("no video stream")
    flagged = [stream for stream in streams if stream.disposition & Disposition.default]
    chosen = max(flagged or streams, key=_num_pixels)
    table = [stream for stream in container.streams.video if not _is_attached(stream)]
    return Track(chosen, streams.index(chosen) + 1, len(streams), table.index(chosen))


def _num_pixels(stream: VideoStream) -> int:
    codec = stream.codec_context
    return 0 if codec is None else codec.width * codec.height


def _is_attached(stream: VideoStream) -> bool:
    flags = stream.disposition
    return bool(flags & Disposition.attached_pic) and not flags & Disposition.timed_thumbnails
