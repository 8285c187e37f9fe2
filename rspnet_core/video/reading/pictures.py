"""From a decoded frame to the picture that is kept: scaled by FFmpeg, turned upright, cut to the centred square.

The scaling is FFmpeg's ``scale`` filter with its bicubic default, which is what decord applies when it is opened with
``width=`` and ``height=``: the two libraries give the same bytes (tested). PyAV's ``reformat`` places the chroma
samples differently (mean difference 0.25, worst 25).
"""

from itertools import pairwise

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def scaled_size(width: int, height: int, *, short_side: int) -> tuple[int, int]:
    """Width and height with the given short side and the same aspect, in whole pixels."""
    if width < height:
        return short_side, round(height * short_side / width)
    return round(width * short_side / height), short_side


def centre_square(pictures: Picture) -> Picture:
    """Cut uint8 (..., H, W, 3) to the largest centred square; an odd rest leaves its extra pixel right or below."""
    height, width = pictures.shape[-3:-1]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pictures[..., top : top + side, left : left + side, :]


class Scaler:
    """Turns PyAV frames of any size and pixel format into uint8 RGB of one size, and upright."""

    def __init__(self, width: int, height: int) -> None:
        """``width`` and ``height`` of the picture as stored, before it is turned upright."""
        self._size = (width, height)
        self._graph: Graph | None = None
        self._graph_is_for: tuple[int, int, str] | None = None

    def __call__(self, frame: av.VideoFrame) -> Picture:
        """Returns uint8 (H, W, 3), RGB."""
        layout = (frame.width, frame.height, frame.format.name)
        if self._graph is None or self._graph_is_for != layout:
            self._graph = self._make_graph(frame)
            self._graph_is_for = layout
        self._graph.push(frame)
        scaled = self._graph.pull()
        assert isinstance(scaled, av.VideoFrame)
        return np.rot90(scaled.to_ndarray(), k=frame.rotation // 90)

    def _make_graph(self, frame: av.VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        width, height = self._size
        nodes = [
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
            graph.add("scale", f"{width}:{height}:flags=bicubic"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        for before, after in pairwise(nodes):
            before.link_to(after)
        graph.configure()
        return graph
