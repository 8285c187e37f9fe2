"""The second look at two videos that may show the same footage: larger pictures, every frame.

Takes of one person in front of one wall can move alike at 16 x 16 pixels; what they show in detail does not.

    grey frames 64 x 64, all of them --shift by FFT, crop by search--> aligned
    less each pixel's median over time, less what is coarser than 3 pixels --> correlation of moving details
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rspnet_core.config import WholeVideo
from rspnet_core.video.footage import SIDE, Crop, Footage, Grey, Match, best_shift, cropped, moving

DETAIL_SIDE = 64
SAME_FOOTAGE = 0.96
"""Agreement from which two videos show the same; chosen on other videos than those it is reported on."""
_FINEST, _COARSEST = 0.7, 2.8
"""Standard deviations, in pixels, of the Gaussians whose difference keeps details."""
_ALIGNED_BY = 1.5
"""Of the one by which pictures are smoothed to search for a crop."""
_FRAMES_SEARCHED = 24
_STEPS = (Crop(0.02, 0.3, 0.3), Crop(0.01, 0.15, 0.15), Crop(0.005, 0.08, 0.08))
_LEAST_SIDE = 0.8


def detail_frames(fps_of_one: float | None, fps_of_other: float | None) -> WholeVideo:
    """What is read of both videos: frames as recorded where they have the same rate, else 25 a second."""
    known = fps_of_one and fps_of_other and abs(fps_of_one / fps_of_other - 1) < 0.01
    return WholeVideo(frame_size=DETAIL_SIDE, fps=None if known else 25, max_frames=2048)


def agreement(one: NDArray[np.uint8], other: NDArray[np.uint8], found: Match) -> float:
    """How far what moves in two videos agrees in detail, -1 to 1: above ``SAME_FOOTAGE`` for the same footage.

    Args:
        one: uint8 (T, DETAIL_SIDE, DETAIL_SIDE), grey.
        other: likewise, of the same frames a second.
        found: by ``footage.match``, of the same two in the same order.
    """
    whole, cut = (other, one) if found.is_swapped else (one, other)
    shift = best_shift(_small(whole).moving, cropped(_small(cut).moving, found.crop)).frames
    start, stop = max(shift, 0), min(len(whole), len(cut) + shift)
    shown, source = whole[start:stop].astype(np.float32), cut[start - shift : stop - shift].astype(np.float32)
    some = np.unique(np.linspace(0, len(shown) - 1, _FRAMES_SEARCHED).astype(int))
    crop = _refined(_smooth(moving(shown)[some], _ALIGNED_BY), _smooth(moving(source)[some], _ALIGNED_BY), found.crop)
    return _correlation(_details(moving(shown)), _details(moving(cropped(source, crop))))


def _small(frames: NDArray[np.uint8]) -> Footage:
    pixels = DETAIL_SIDE // SIDE
    blocks = frames.reshape(len(frames), SIDE, pixels, SIDE, pixels).mean(axis=(2, 4), dtype=np.float32)
    return Footage(blocks.round().astype(np.uint8))


def _refined(shown: Grey, source: Grey, crop: Crop) -> Crop:
    """The crop of ``source`` near ``crop`` that agrees most with ``shown``: one coordinate after the other."""
    best = (_correlation(shown, cropped(source, crop)), crop)
    for step in _STEPS:
        before = None
        while before != best:
            before = best
            best = max([best, *((_correlation(shown, cropped(source, near)), near) for near in _near(best[1], step))])
    return best[1]


def _near(crop: Crop, step: Crop) -> Iterator[Crop]:
    for place in range(len(crop)):
        for sign in (-1, 1):
            moved = list(crop)
            moved[place] += sign * step[place]
            yield Crop(float(np.clip(moved[0], _LEAST_SIDE, 1)), *np.clip(moved[1:], -1, 1).tolist())


def _details(frames: Grey) -> Grey:
    return _smooth(frames, _FINEST) - _smooth(frames, _COARSEST)


def _smooth(frames: Grey, sigma: float) -> Grey:
    """Through a Gaussian; pixels beyond the edge are as those at the edge."""
    size = frames.shape[-1]
    reach = int(3 * sigma + 1)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    matrix = np.zeros((size, size), np.float32)
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        matrix[np.arange(size), np.clip(np.arange(size) + offset, 0, size - 1)] += weight
    return np.asarray(matrix @ frames @ matrix.T, np.float32)


def _correlation(one: Grey, other: Grey) -> float:
    norms = math.sqrt(float((one * one).sum()) * float((other * other).sum()))
    return float((one * other).sum()) / max(norms, 1e-6)
