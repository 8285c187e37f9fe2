"""How a stored frame is shown, the one place that knows it: cut, turned, mirrored, its pixels made square.

    stored --margins--> cut --matrix--> turned and mirrored --pixel aspect--> shown

Each step is FFmpeg's own: the crop of the container, then ``-autorotate``, then ``scale=iw*sar:ih``. What H.264, HEVC
and AV1 crop is gone before a decoder gives a frame out.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_ODD_ANGLE_DEGREES = 1.0
"""FFmpeg takes a turn that is this near to a quarter for one."""


class Margins(NamedTuple):
    """Pixels of a stored frame that are not shown, at each side."""

    left: int
    top: int
    right: int
    bottom: int


NO_MARGINS = Margins(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Display:
    """From stored frames to shown pictures; the default shows frames as they are."""

    margins: Margins = NO_MARGINS
    matrix: tuple[int, int, int, int] = (1, 0, 0, 1)
    """a, b, c, d of the display matrix: the stored point (x, y) is shown at (a x + c y, b x + d y), y downwards."""
    pixel_aspect: Fraction = Fraction(1)
    """Width by height of a stored pixel."""

    @property
    def is_upright(self) -> bool:
        """Whether a frame that is scaled to the shown size is the picture: neither cut nor turned nor mirrored."""
        return self.margins == NO_MARGINS and not (self.transposes or self.mirrors_x or self.mirrors_y or self.angle)

    @property
    def angle(self) -> int:
        """Degrees, clockwise, of a turn by no multiple of 90 degrees; else 0. Its corners are cut, as FFmpeg does."""
        off = abs(self._turn - 90 * round(self._turn / 90))
        return 0 if off <= _ODD_ANGLE_DEGREES else self._turn

    @property
    def transposes(self) -> bool:
        """Whether rows are shown as columns; the mirrors come after it."""
        return not self.angle and round(self._turn / 90) % 2 == 1

    @property
    def mirrors_x(self) -> bool:
        """Whether left and right change places."""
        a, _, c, _ = self.matrix
        return not self.angle and (c if self.transposes else a) < 0

    @property
    def mirrors_y(self) -> bool:
        """Whether top and bottom change places."""
        _, b, _, d = self.matrix
        return not self.angle and (b if self.transposes else d) < 0

    @property
    def is_mirrored(self) -> bool:
        """Whether text in the picture as stored would read backwards as shown, or the other way round."""
        return self.transposes ^ self.mirrors_x ^ self.mirrors_y

    @property
    def rotation_degrees(self) -> int:
        """Counter-clockwise turn, 0 to 359; a mirrored picture is then mirrored from left to right."""
        if self.angle:
            return -self.angle % 360
        first_row_goes_left = self.mirrors_x != self.is_mirrored
        if self.transposes:
            return 270 if first_row_goes_left else 90
        return 180 if first_row_goes_left else 0

    @property
    def _turn(self) -> int:
        """Clockwise turn in whole degrees, 0 to 359, of the stored x axis."""
        a, b, c, d = self.matrix
        across, down = math.hypot(a, c), math.hypot(b, d)
        if not across or not down:  # not a matrix of any picture
            return 0
        return round(math.degrees(math.atan2(b / down, a / across))) % 360

    def shown_size(self, stored_width: int, stored_height: int) -> tuple[int, int]:
        """Width and height, in square pixels, at which a stored frame is shown: its height is kept."""
        left, top, right, bottom = self.margins
        width, height = max(stored_width - left - right, 1), max(stored_height - top - bottom, 1)
        if self.transposes:
            return max(round(height / self.pixel_aspect), 1), width
        return max(round(width * self.pixel_aspect), 1), height

    def filters(self, stored_width: int, stored_height: int, width: int, height: int) -> list[tuple[str, str]]:
        """FFmpeg's filters, by name and arguments; ``mirrored`` then gives the picture of ``width`` x ``height``.

        Rows become columns before the scaling, as in FFmpeg: its scaler halves the colours of a row, not of a column.
        """
        left, top, right, bottom = self.margins
        steps = []
        if self.margins != NO_MARGINS and min(stored_width - left - right, stored_height - top - bottom) > 0:
            steps.append(("crop", f"{stored_width - left - right}:{stored_height - top - bottom}:{left}:{top}"))
        if self.angle:
            steps.append(("rotate", f"{self.angle}*PI/180"))
        if self.transposes:
            steps.append(("transpose", "cclock_flip"))
        return [*steps, ("scale", f"{width}:{height}:flags=bicubic")]

    def mirrored(self, scaled: Picture) -> Picture:
        """What the filters gave, uint8 (height, width, 3), as it is shown; a view."""
        return scaled[:: -1 if self.mirrors_y else 1, :: -1 if self.mirrors_x else 1]


def display_of(frame: av.VideoFrame, pixel_aspect: Fraction | None, margins: Margins = NO_MARGINS) -> Display:
    """How a decoded frame asks to be shown; margins that leave nothing of it are none."""
    left, top, right, bottom = margins
    if left + right >= frame.width or top + bottom >= frame.height:
        margins = NO_MARGINS
    return Display(margins, _matrix_of(frame), pixel_aspect or Fraction(1))


def _matrix_of(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    for data in cast("Iterable[SideData]", frame.side_data):
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
            return a, b, c, d
    return (1, 0, 0, 1)
