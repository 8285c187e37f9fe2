"""An explained pair as one picture: a row for each video, columns frame, motion and appearance (or backbone alone).

        Frame   Motion (RSP)   Appearance (A-VID)
query    ###        ###               ###            ### a panel, a caption below it
match    ###        ###               ###
legend           colour bar        colour bar
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from indexer.heatmap.explanation import DEFAULT_THRESHOLD, PairExplanation, Side
from rspnet_core.explain.drawing import colour_bar, draw_boxes, enlarged, fitted, font, overlay
from rspnet_core.explain.regions import boxes_around
from rspnet_core.reports.colours import INK, MUTED, PAPER

_PANEL, _GAP, _MARGIN = 288, 16, 24
_COLUMN = {"frame": 0, "motion": 1, "appearance": 2, "backbone": 1}
_LEFT = {name: _MARGIN + number * (_PANEL + _GAP) for name, number in _COLUMN.items()}
_HEAD, _NAME, _CAPTION, _FOOT = 56, 30, 34, 62  # heights of the strips of text
_TOP = {"query": _MARGIN + _HEAD + _NAME, "match": _MARGIN + _HEAD + 2 * _NAME + _PANEL + _CAPTION}
_BARS = _TOP["match"] + _PANEL + _CAPTION + 10
_HEIGHT = _BARS + _FOOT + _MARGIN // 2
_BAR_HEIGHT = 12


def render_still(explanation: PairExplanation, threshold: float = DEFAULT_THRESHOLD) -> Image.Image:
    """The middle frame of both clips with both maps.

    Args:
        explanation: from ``explain_pair``.
        threshold: where on the colour scale (0 to 1) rectangles begin.

    Raises:
        InvalidSetting: ``threshold`` out of range.
    """
    sheet = _background(explanation, threshold)
    _paste_panels(sheet, explanation, threshold, len(explanation.query.frames) // 2)
    return sheet


def render_frames(explanation: PairExplanation, threshold: float = DEFAULT_THRESHOLD) -> NDArray[np.uint8]:
    """Every frame of both clips with both maps: uint8 (T, H, W, 3), RGB. Arguments and errors as `render_still`."""
    return np.stack([np.asarray(sheet) for sheet in _sheets(explanation, threshold)])


def panel(explanation: PairExplanation, side: Side, head: str, frame: int, threshold: float) -> Image.Image:
    """The map of a head over one frame of ``explanation.query`` or ``.match``, with rectangles: 288 pixels square."""
    strength = explanation.strength(side, head)[frame]
    picture = enlarged(overlay(side.frames[frame], strength), _PANEL)
    draw_boxes(picture, boxes_around(strength >= threshold), _PANEL / strength.shape[0])
    return picture


def _sheets(explanation: PairExplanation, threshold: float) -> Iterator[Image.Image]:
    background = _background(explanation, threshold)
    for frame in range(len(explanation.query.frames)):
        sheet = background.copy()
        _paste_panels(sheet, explanation, threshold, frame)
        yield sheet


def _sides(explanation: PairExplanation) -> dict[str, Side]:
    return {"query": explanation.query, "match": explanation.match}


def _paste_panels(sheet: Image.Image, explanation: PairExplanation, threshold: float, frame: int) -> None:
    for row, side in _sides(explanation).items():
        sheet.paste(enlarged(side.frames[frame], _PANEL), (_LEFT["frame"], _TOP[row]))
        for head in explanation.cosines:
            sheet.paste(panel(explanation, side, head, frame, threshold), (_LEFT[head], _TOP[row]))


def _background(explanation: PairExplanation, threshold: float) -> Image.Image:
    """All of the sheet that is the same for every frame."""
    width = max(_LEFT[head] for head in explanation.cosines) + _PANEL + _MARGIN
    sheet = Image.new("RGB", (width, _HEIGHT), PAPER)
    draw = ImageDraw.Draw(sheet)
    _text(draw, "frame", _MARGIN, "Frame", 18, bold=True)
    _text(draw, "frame", _MARGIN + 27, "as the encoder sees it", 13)
    for head, cosine in explanation.cosines.items():
        _text(draw, head, _MARGIN, explanation.titles[head], 18, bold=True)
        _text(draw, head, _MARGIN + 27, f"cosine of the two clips {cosine:.3f}", 13)
    for row, side in _sides(explanation).items():
        _name_row(draw, row, side, width)
        for head in explanation.cosines:
            shares = explanation.shares(side, head, threshold)
            caption = f"in rectangles: {shares.energy:.0%} of map, {shares.area:.0%} of area"
            _text(draw, head, _TOP[row] + _PANEL + 8, caption, 13)
    _foot(sheet, draw, explanation, threshold)
    return sheet


def _name_row(draw: ImageDraw.ImageDraw, row: str, side: Side, width: int) -> None:
    y = _TOP[row] - 24
    bold, plain = font(14, bold=True), font(14)
    start, end = side.span_seconds
    detail = f"clip {side.clip + 1} of {len(side.spans_seconds)}, {start:.2f}-{end:.2f} s"
    x = _MARGIN + bold.getlength(f"{row.capitalize()}  ")
    draw.text((_MARGIN, y), row.capitalize(), INK, bold)
    name = fitted(side.name, plain, width - _MARGIN - x - plain.getlength(f"   {detail}"))
    draw.text((x, y), name, INK, plain)
    draw.text((x + plain.getlength(f"{name}   "), y), detail, MUTED, plain)


def _foot(sheet: Image.Image, draw: ImageDraw.ImageDraw, explanation: PairExplanation, threshold: float) -> None:
    legend = ("Colour: what each place adds to the", "cosine. One scale a head, for both", "videos and all frames.")
    for line, text in enumerate(legend):
        _text(draw, "frame", _BARS - 4 + 18 * line, text, 13)
    for head in explanation.cosines:
        left, below = _LEFT[head], _BARS + _BAR_HEIGHT
        sheet.paste(colour_bar(_PANEL, _BAR_HEIGHT), (left, _BARS))
        low, high = explanation.scale(head)
        mark = left + round(threshold * (_PANEL - 1))
        draw.line((mark, _BARS - 5, mark, below + 5), INK, 3)
        draw.line((mark, _BARS - 4, mark, below + 4), PAPER, 1)
        draw.text((left, below + 8), f"{low:.2f}", MUTED, font(13))
        draw.text((left + _PANEL, below + 8), f"{high:.2f}", MUTED, font(13), anchor="ra")
        place = min(max(mark, left + 112), left + _PANEL - 112)
        level = low + threshold * (high - low)
        draw.text((place, below + 8), f"rectangles from {level:.2f}", MUTED, font(13), anchor="ma")


def _text(draw: ImageDraw.ImageDraw, column: str, y: float, text: str, size: int, *, bold: bool = False) -> None:
    draw.text((_LEFT[column], y), text, INK if bold else MUTED, font(size, bold=bold))
