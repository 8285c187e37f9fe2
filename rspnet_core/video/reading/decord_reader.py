"""Chosen frames of a video with decord, where decord gives the right ones.

What decord 3.4 does with this project's files, compared with PyAV in order (frame by frame, all bytes):

    H.264, 8 bits, 4:2:0, MP4 or Matroska, closed groups      the same, after seeks too
    MPEG-4 in AVI with B-frames                                one frame too many; 75 to 100 % wrong after a seek
    H.264 with an edit list, or that starts between key frames  two frames too many; 90 % wrong after a seek
    HEVC                                                       60 % wrong after a seek
    turned, mirrored or cropped by the container               as stored
    10 bits                                                    wrong colours (read as another layout)
    several video streams                                      another stream than the first
    MPEG-TS                                                    does not open
    a declared frame count that is far too high                aborts the process
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rspnet_core.video.reading.probe import Packets
from rspnet_core.video.reading.pyav_reader import FramesMissing, seeks_exactly

_PIXEL_FORMATS = {"yuv420p", "yuvj420p"}
_MIN_WIDTH = 64
"""decord takes the number of channels from the padded length of a line, which is wrong for narrow frames."""


def _import_decord() -> Any:
    """decord, without the CUDA libraries that it would otherwise load (0.6 s and 500 MB of memory a process)."""
    nvidia = sys.modules.get("nvidia")
    sys.modules["nvidia"] = None  # type: ignore[assignment]  # makes find_spec("nvidia") answer "not installed"
    try:
        import decord
    finally:
        if nvidia is None:
            del sys.modules["nvidia"]
        else:
            sys.modules["nvidia"] = nvidia
    decord.logging.set_level(decord.logging.QUIET)
    return decord


decord = _import_decord()


def reads_exactly(packets: Packets, width: int) -> bool:
    """Whether decord gives the frames of this file, scaled to ``width`` pixels, exactly."""
    return (
        packets.codec == "h264"
        and packets.pixel_format in _PIXEL_FORMATS
        and packets.display.is_upright
        and not packets.is_hdr
        and packets.num_video_streams == 1
        and packets.num_declared_frames in (0, len(packets.pts))
        and width >= _MIN_WIDTH
        and packets.groups_are_closed
        and seeks_exactly(packets)
    )


def read_with_decord(
    path: Path, packets: Packets, wanted: NDArray[np.int64], width: int, height: int
) -> NDArray[np.uint8]:
    """Frames of the sorted unique indices ``wanted``, scaled at decode: uint8 (len(wanted), height, width, 3), RGB.

    Raises FramesMissing if decord sees another number of frames than PyAV, stops at damage or cannot take the
    name (which is not UTF-8, or holds a ``%``).
    """
    if "%" in str(path):  # FFmpeg reads a.jpg to z.jpg, wherever such links lead, for a video named %d.jpg
        raise FramesMissing
    try:
        reader = decord.VideoReader(str(path), width=width, height=height, num_threads=1)
        if len(reader) != len(packets.pts):
            raise FramesMissing
        frames: NDArray[np.uint8] = reader.get_batch(wanted.tolist()).asnumpy()
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, IndexError, UnicodeEncodeError):
        raise FramesMissing from None
    return frames
