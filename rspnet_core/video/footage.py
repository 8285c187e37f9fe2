"""Whether two videos may show the same footage: encoded anew, in another size, cropped, cut at either end.

Two takes in front of one wall look alike, so the wall is taken off and what moved is compared, place by place and
moment by moment. Few takes of one action move alike; copies do. Those that do are looked at again (``same_footage``).

    grey frames 16 x 16, 12.5 a second --less each pixel's median over time--> what moves
    crop of one that fits the other, by the median pictures and the amounts of movement  (each in both roles)
    shift in time that fits best, all at once by FFT --> correlation of what moves over the frames that both have
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rspnet_core.config import WholeVideo

SIDE = 16
FRAMES = WholeVideo(frame_size=SIDE, fps=12.5, max_frames=1024)
"""What is read of a video: 82 seconds, of a longer one those in the middle."""
LIKELY = 0.6
"""Correlation from which two videos are looked at again, in detail (``same_footage``)."""
_LEAST_MOTION = 0.5
"""Standard deviation of what moves, in grey levels of 255, from which it can be told from what an encoder leaves."""
_LEAST_FRAMES = 8
_LEAST_STILL = 0.7
"""Correlation of the median pictures, below which two videos show other scenes: nothing more is looked at."""
LEAST_OVERLAP = 0.8
"""Of the shorter video."""
_CROPS_TRIED = 3

Grey = NDArray[np.float32]
"""Pictures float32 (..., SIDE, SIDE), or rows of their pixels."""


class Crop(NamedTuple):
    """A part of the picture: its side as a share, and where it lies, -1 (left, top) to 1 (right, bottom)."""

    side: float
    x: float
    y: float


_PLACES = np.linspace(-1, 1, 5).tolist()
CROPS = [Crop(1, 0, 0), *(Crop(side, x, y) for side in (0.95, 0.9, 0.85) for x in _PLACES for y in _PLACES)]


def grey(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB uint8 (T, N, N, 3) to grey (T, N, N)."""
    luma = pictures.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
    return luma.round().astype(np.uint8)


def moving(frames: NDArray[Any]) -> Grey:
    """What moves in frames (T, N, N): without what stays, and without what the whole picture does."""
    left = np.asarray(frames - np.median(frames, axis=0), np.float32)
    return np.asarray(left - left.mean(axis=(1, 2), keepdims=True))


@dataclass(frozen=True)
class Footage:
    """A video as it is compared: ``frames`` uint8 (T, SIDE, SIDE), grey, ``FRAMES.fps`` a second; T is 1 or more."""

    frames: NDArray[np.uint8]

    @classmethod
    def of(cls, pictures: NDArray[np.uint8]) -> "Footage":
        """From the frames that ``FRAMES`` asks for, uint8 (T, SIDE, SIDE, 3), RGB."""
        return cls(grey(pictures))

    @cached_property
    def still(self) -> Grey:
        """The median picture (SIDE, SIDE)."""
        median: Grey = np.median(self.frames, axis=0).astype(np.float32)
        return median

    @cached_property
    def moving(self) -> Grey:
        """What moves (T, SIDE, SIDE)."""
        return moving(self.frames)

    @property
    def has_motion(self) -> bool:
        """Whether enough moves, for long enough, to tell this video from others of its scene."""
        return len(self.frames) >= _LEAST_FRAMES and float(self.moving.std()) >= _LEAST_MOTION

    @cached_property
    def _outlines(self) -> tuple[Grey, Grey]:
        """The median picture and the amount of movement, cut to each of ``CROPS``: unit rows (crops, SIDE * SIDE)."""
        moved = self.moving.std(axis=0)
        return _unit(_crops(self.still)), _unit(_crops(moved))


class Match(NamedTuple):
    """How one video may be a copy of another, by their footage."""

    correlation: float
    """Of what moves, -1 to 1."""
    is_swapped: bool
    """The first of the two is the one that shows a part of the other's picture, not the second."""
    crop: Crop
    """Of the picture of the one that shows more."""


def match(one: Footage, other: Footage) -> Match | None:
    """The crop and shift in time by which the movements of two videos agree most; None where the scenes differ."""
    found = [
        Match(best_shift(whole.moving, cropped(cut.moving, crop)).correlation, is_swapped, crop)
        for whole, cut, is_swapped in ((one, other, False), (other, one, True))
        for crop in _fits(whole, cut)
    ]
    return max(found, default=None)


def _fits(whole: Footage, cut: Footage) -> Iterator[Crop]:
    """The crops of ``cut`` that may be what ``whole`` shows, the likeliest first."""
    still, moved = (crops @ own[0] for crops, own in zip(cut._outlines, whole._outlines, strict=True))
    for place in np.argsort(-(still + moved))[:_CROPS_TRIED]:
        if still[place] >= _LEAST_STILL:
            yield CROPS[place]


class Shift(NamedTuple):
    """A shift in time, in frames, and the correlation by it: ``one[t]`` shows what ``other[t - frames]`` does."""

    correlation: float
    frames: int


def best_shift(one: Grey, other: Grey) -> Shift:
    """The best of all shifts in time of two videos (T, H, W) that keep enough of the shorter one."""
    first, second = one.reshape(len(one), -1), other.reshape(len(other), -1)
    shorter = min(len(first), len(second))
    overlap = min(max(_LEAST_FRAMES, round(LEAST_OVERLAP * shorter)), shorter)
    length = 1 << (len(first) + len(second)).bit_length()
    spectra = np.fft.rfft(first, length, axis=0), np.fft.rfft(second, length, axis=0)
    products = np.fft.irfft((spectra[0] * spectra[1].conj()).sum(axis=1), length)
    shifts = np.arange(overlap - len(second), len(first) - overlap + 1)
    starts, stops = np.maximum(shifts, 0), np.minimum(len(first), len(second) + shifts)
    energies = _energy(first, starts, stops) * _energy(second, starts - shifts, stops - shifts)
    correlations = products[shifts % length] / np.sqrt(np.maximum(energies, 1e-6))
    best = int(correlations.argmax())
    return Shift(float(correlations[best]), int(shifts[best]))


def _energy(rows: Grey, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum of squares from each start to before its stop."""
    sums = np.concatenate([[0.0], np.cumsum((rows.astype(np.float64) ** 2).sum(axis=1))])
    return np.asarray(sums[stops] - sums[starts])


def _axis(side: float, place: float, size: int = SIDE) -> Grey:
    """(size, size): takes a part of an axis and spreads it over the whole, linearly between pixels."""
    at = ((np.arange(size) + 0.5) * side + (1 - side) * (0.5 + 0.5 * place) * size) - 0.5
    first = np.clip(np.floor(at).astype(int), 0, size - 2)
    share = np.clip(at - first, 0, 1)
    matrix = np.zeros((size, size), np.float32)
    matrix[np.arange(size), first] += 1 - share
    matrix[np.arange(size), first + 1] += share
    return matrix


def cropped(pictures: Grey, crop: Crop) -> Grey:
    """A crop of pictures (..., N, N), at their size."""
    if crop.side == 1:
        return pictures
    across, down = (_axis(crop.side, place, pictures.shape[-1]) for place in (crop.x, crop.y))
    return np.asarray(down @ pictures @ across.T, np.float32)


@cache
def _mixes() -> Grey:
    """(crops, SIDE * SIDE, SIDE * SIDE), 20 MB: made when footage is first compared."""
    return np.stack([np.kron(_axis(crop.side, crop.y), _axis(crop.side, crop.x)) for crop in CROPS])


def _crops(picture: Grey) -> Grey:
    """All ``CROPS`` of a picture (SIDE, SIDE), as rows."""
    rows: Grey = _mixes() @ picture.ravel()
    return rows


def _unit(rows: Grey) -> Grey:
    """Without their means, of length 1; a picture of one grey stays 0."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    unit: Grey = centred / np.maximum(length, 1e-6)
    return unit
