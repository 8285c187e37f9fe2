"""The child process that turns any video into one that browsers play: H.264 MP4, short side at most 360 pixels.

Started by ``media`` as ``python -m app.serving.proxy SOURCE TARGET SHORT_SIDE PARENT_PID``; prints the reason and
exits with 1 when the file cannot be decoded. It runs under limits of memory, file size and processor time, as a
hostile file may make a decoder do anything.
"""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np

from rspnet_core.errors import RspnetError, VideoError
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.reading.limits import confine_this_process
from rspnet_core.video.reading.pictures import Picture, Scaler, scaled_size
from rspnet_core.video.reading.probe import Packets, read_packets
from rspnet_core.video.reading.pyav_reader import read_in_order
from rspnet_core.video.sampling import resampled_indices

MAX_FPS = 30.0
MAX_SECONDS = 1800
"""What is longer is cut: a search shows moments of clips, not films."""
MAX_FILE_BYTES = 512 * 2**20
MEMORY_BYTES = 2 * 2**30
CPU_SECONDS = 900
_FRAMES_AHEAD = 8


def write_proxy(source: Path, target: Path, short_side: int) -> None:
    """Write the proxy of ``source``, without sound, at a constant rate by its timestamps.

    A small video is not enlarged. Raises VideoError where no frame decodes, RspnetError where nothing can be written.
    """
    packets = read_packets(source)
    fps = min(max(packets.fps, 1.0), MAX_FPS)
    seconds = packets.timestamps_seconds
    shown = resampled_indices(seconds[seconds <= MAX_SECONDS], fps)
    write_video(target, _frames(source, packets, shown, short_side), fps=fps, crf=26)


def _frames(source: Path, packets: Packets, shown: np.ndarray, short_side: int) -> Iterator[Picture]:
    """The frame of each tick, decoded in another thread a few frames ahead, so that a film needs little memory."""
    queue: Queue[Picture | Exception | None] = Queue(_FRAMES_AHEAD)

    def decode() -> None:
        try:
            _decode(source, packets, shown, short_side, queue)
            queue.put(None)
        except Exception as error:
            queue.put(error)

    Thread(target=decode, daemon=True).start()
    while (item := queue.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item


def _decode(
    source: Path,
    packets: Packets,
    shown: np.ndarray,
    short_side: int,
    queue: "Queue[Picture | Exception | None]",
) -> None:
    wanted, ticks = np.unique(shown, return_counts=True)
    ticks_left = iter(ticks.tolist())
    nothing = np.empty((0, 0, 3), np.uint8)

    def pass_on(picture: Picture) -> Picture:
        for _ in range(next(ticks_left)):
            queue.put(picture)
        return nothing

    info = packets.info()
    size = scaled_size(info.width, info.height, short_side=min(short_side, info.width, info.height))
    scaler = Scaler(*size, packets.display)
    read_in_order(source, packets, wanted, lambda frame: pass_on(scaler(frame)))


def main() -> None:
    """Make one proxy and exit."""
    source, target, short_side, parent_pid = sys.argv[1:]
    confine_this_process(parent_pid=int(parent_pid), memory_bytes=MEMORY_BYTES, file_bytes=MAX_FILE_BYTES)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    with suppress(OSError):
        os.nice(5)  # searching comes first
    try:
        write_proxy(Path(source), Path(target), int(short_side))
    except (VideoError, RspnetError) as error:
        print(error)
        sys.exit(1)
    except MemoryError:
        print(f"needs more than {MEMORY_BYTES / 2**30:.0f} GB of memory")
        sys.exit(1)


if __name__ == "__main__":
    main()
