"""Small videos with real codecs whose frames can be told apart, and the slow oracle that reads them in order."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from rspnet_core.video.reading.pictures import Scaler, centre_square, scaled_size
from rspnet_core.video.reading.probe import read_packets
from rspnet_core.video.reading.tracks import choose_track

Frames = NDArray[np.uint8]


def numbered_frames(num_frames: int, width: int, height: int) -> Frames:
    """uint8 (T, H, W, 3): a drifting texture, so that no two frames are alike and motion prediction is used."""
    texture = np.random.default_rng(0).integers(0, 255, (height // 8 + 40, width // 8 + 40, 3), dtype=np.uint8)
    texture = texture.repeat(8, axis=0).repeat(8, axis=1)
    return np.stack([texture[i % 200 :, (2 * i) % 200 :][:height, :width] for i in range(num_frames)])


def make_video(
    path: Path,
    *,
    num_frames: int = 60,
    width: int = 96,
    height: int = 64,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    gop: int = 12,
    fps: int = 25,
    pts: list[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode ``numbered_frames``; ``pts`` in units of 1 / fps makes the frame rate variable."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, pixel_format, gop
        stream.codec_context.time_base = Fraction(1, fps)
        stream.codec_context.thread_count = 1
        stream.options = options or {}
        for index, pixels in enumerate(numbered_frames(num_frames, width, height)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = pts[index] if pts else index
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path, rotation_degrees: int) -> Path:
    """The same packets in another file that asks players to turn them."""
    copy = path.with_name(f"turned{rotation_degrees}.mp4")
    with av.open(str(path)) as source, av.open(str(copy), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(rotation_degrees)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return copy


def read_all_in_order(path: Path, size: int) -> Frames:
    """The oracle: every frame that decodes until the first error, as (T, size, size, 3)."""
    pictures = []
    with av.open(str(path), metadata_errors="ignore") as container:
        stream = choose_track(container).stream
        stream.codec_context.thread_count = 1
        packets = read_packets(path)
        scaler = Scaler(*scaled_size(*packets.shown_size, short_side=size), packets.display)
        with suppress(av.error.FFmpegError):
            pictures.extend(centre_square(scaler(frame)) for frame in container.decode(stream))
    return np.stack(pictures)
