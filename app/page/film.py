"""An explained pair of clips as data for the page: frames and maps as pictures, rectangles as numbers.

All frames of a panel are one picture, left to right and row by row, so that a step of the film loads nothing. The
rectangles come apart from the pictures: the threshold's slider moves them without sending pictures again.
"""

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.page.components import content
from indexer.heatmap.explanation import PairExplanation, Side
from rspnet_core.explain.drawing import colour_bar, enlarged, overlay
from rspnet_core.explain.regions import BoxShares, box_shares
from rspnet_core.text import printable

COLUMNS = 8
"""Frames in a row of a panel's picture."""
_SIDE = 208  # pixels of a frame in it
_QUALITY = 82


def film(explanation: PairExplanation) -> str:
    """The value of the component ``film``: everything but the rectangles."""
    return content(
        columns=COLUMNS,
        frames=len(explanation.query.frames),
        bar=_picture(colour_bar(256, 8)),
        heads=[
            {"head": head, "title": explanation.titles[head], "cosine": cosine, "scale": explanation.scale(head)}
            for head, cosine in explanation.cosines.items()
        ],
        sides=[
            _side(explanation, role, side)
            for role, side in (("Query", explanation.query), ("Match", explanation.match))
        ],
    )


def rectangles(explanation: PairExplanation, threshold: float) -> str:
    """The property ``boxes`` of the component: [side][head][frame] lists of [left, top, right, bottom], 0 to 1."""
    sides = []
    for side in (explanation.query, explanation.match):
        size = len(side.frames[0])
        found = {head: explanation.boxes(side, head, threshold) for head in explanation.cosines}
        sides.append(
            {
                head: {
                    "frames": [[_fractions(box, size) for box in frame] for frame in boxes],
                    "shares": _shares(box_shares(side.maps[head], boxes)),
                }
                for head, boxes in found.items()
            }
        )
    return content(threshold=threshold, sides=sides)


def _fractions(box: Any, size: int) -> list[float]:
    return [round(value / size, 4) for value in (box.left, box.top, box.right, box.bottom)]


def _shares(shares: BoxShares) -> dict[str, float]:
    return {"energy": shares.energy, "area": shares.area}


def _side(explanation: PairExplanation, role: str, side: Side) -> dict[str, Any]:
    maps = {
        head: _sheet([overlay(*pair) for pair in zip(side.frames, explanation.strength(side, head), strict=True)])
        for head in explanation.cosines
    }
    start, end = side.span_seconds
    return {
        "role": role,
        "name": printable(side.name),
        "clip": side.clip + 1,
        "clips": len(side.spans_seconds),
        "start": start,
        "end": end,
        "frame": _sheet(side.frames),
        **maps,
    }


def _sheet(frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> str:
    rows = -(-len(frames) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * _SIDE, rows * _SIDE))
    for number, frame in enumerate(frames):
        sheet.paste(enlarged(frame, _SIDE), (number % COLUMNS * _SIDE, number // COLUMNS * _SIDE))
    return _picture(sheet)


def _picture(image: Image.Image) -> str:
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()
