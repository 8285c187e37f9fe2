"""Pictures of maps: colour over a frame, rectangles, colour bars and text.

The colours are matplotlib's *inferno*. Its lightness rises evenly from black to pale yellow, so equal steps of a map
look equal, the order survives print in grey, and it is read by people who do not tell red from green. Jet, which the
field often uses, shows edges in a map that has none. Over a frame, inferno works like a spotlight: what adds little to
the similarity is dimmed.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rspnet_core.explain.regions import Box
from rspnet_core.reports.colours import INK, PAPER
from rspnet_core.text import printable

_OPACITY = 0.6
_ELLIPSIS = "…"


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and has Latin, Greek, Cyrillic, Arabic and more; ``size`` in pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    import matplotlib as mpl  # half a second that only pictures need

    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", name), size)


@cache
def colours() -> NDArray[np.uint8]:
    """The colour scale from 0 to 1 in 256 steps: uint8 (256, 3)."""
    import matplotlib as mpl

    return np.asarray(mpl.colormaps["inferno"](np.arange(256), bytes=True)[:, :3], dtype=np.uint8)


def overlay(frame: NDArray[np.uint8], strength: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour a frame uint8 (H, W, 3) by a map float32 (H, W) of values in 0 to 1."""
    colour = colours()[(strength * 255).round().astype(np.uint8)]
    return np.asarray((frame * (1 - _OPACITY) + colour * _OPACITY).round(), dtype=np.uint8)


def enlarged(picture: NDArray[np.uint8], side: int) -> Image.Image:
    """A square picture uint8 (H, H, 3) at ``side`` pixels."""
    return Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)


def draw_boxes(picture: Image.Image, boxes: Sequence[Box], scale: float) -> None:
    """Outline boxes, given in pixels of which one takes ``scale`` of the picture's: white between two dark lines."""
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        left, top = round(box.left * scale), round(box.top * scale)
        right, bottom = round(box.right * scale) - 1, round(box.bottom * scale) - 1
        for inset, width, colour in ((0, 4, INK), (1, 2, PAPER)):
            room = (min(right - left, bottom - top) + 1) // 2 - inset  # Pillow draws thicker lines beyond the corners
            if room > 0:
                corners = (left + inset, top + inset, right - inset, bottom - inset)
                draw.rectangle(corners, outline=colour, width=min(width, room))


def colour_bar(width: int, height: int) -> Image.Image:
    """The colour scale from left (0) to right (1)."""
    row = colours()[np.linspace(0, 255, width).round().astype(int)]
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(row, (height, width, 3))))


def fitted(text: str, typeface: ImageFont.FreeTypeFont, width: float) -> str:
    """Text made printable and, where it is wider than ``width`` pixels, shortened in its middle."""
    text = printable(text)
    if typeface.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2 and typeface.getlength(_shortened(text, kept)) > width:
        kept -= 1
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    return text[: (kept + 1) // 2] + _ELLIPSIS + text[len(text) - kept // 2 :]
