"""What happens to a clip at random: one draw a clip for all of its frames, made on the CPU from the given generator.

A draw depends on its generator alone, never on the device or the batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import Augmentation

Floats = NDArray[np.float64]

_RATIO = (3 / 4, 4 / 3)
_CROP_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Draw:
    """What happens to one clip. Places and sizes are parts (0 to 1) of the frame's width and height."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0
    is_flipped: bool = False
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    """0 is grey."""
    hue_turns: float = 0.0
    """-0.5 to 0.5 of the colour circle."""
    blur_sigma: float = 0.0
    """Pixels of a clip of 224 pixels a side, scaled to the side that it has; 0 leaves it sharp."""


def draw(rng: np.random.Generator, settings: Augmentation, aspect: float) -> Draw:
    """Draw what happens to one clip of a video whose frames are ``aspect`` times as wide as high."""
    left, top, width, height = _crop_box(rng, settings.min_crop_area, aspect)
    brightness = contrast = saturation = 1.0
    hue_turns = sigma = 0.0
    is_flipped = bool(rng.random() < 0.5) and settings.flip
    if rng.random() < settings.jitter_probability:
        brightness, contrast, saturation = rng.uniform(1 - settings.jitter, 1 + settings.jitter, 3).tolist()
        hue_turns = float(rng.uniform(-settings.jitter_hue, settings.jitter_hue))
    if rng.random() < settings.grey_probability:
        saturation = 0.0
    if rng.random() < settings.blur_probability:
        sigma = float(rng.uniform(*settings.blur_sigma))
    return Draw(left, top, width, height, is_flipped, brightness, contrast, saturation, hue_turns, sigma)


def centre_square(aspect: float) -> Draw:
    """No augmentation: the largest centred square of frames that are ``aspect`` times as wide as high."""
    width, height = min(1.0, 1 / aspect), min(1.0, aspect)
    return Draw((1 - width) / 2, (1 - height) / 2, width, height)


def _crop_box(rng: np.random.Generator, min_area: float, aspect: float) -> tuple[float, float, float, float]:
    for _ in range(_CROP_ATTEMPTS):
        area, log_ratio = rng.uniform(min_area, 1), rng.uniform(*np.log(_RATIO))
        width = math.sqrt(area * math.exp(log_ratio) / aspect)
        height = area / width
        if width <= 1 and height <= 1:
            return float(rng.uniform(0, 1 - width)), float(rng.uniform(0, 1 - height)), width, height
    # The largest centred box of an allowed shape.
    ratio = min(max(aspect, _RATIO[0]), _RATIO[1])
    width, height = min(1.0, ratio / aspect), min(1.0, aspect / ratio)
    return (1 - width) / 2, (1 - height) / 2, width, height


class Draws(NamedTuple):
    """The fields of ``Draw`` for N clips, each float32 (N,); ``is_flipped`` is 0 or 1."""

    left: Tensor
    top: Tensor
    width: Tensor
    height: Tensor
    is_flipped: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue_turns: Tensor
    blur_sigma: Tensor

    @classmethod
    def of(cls, draws: Sequence[Draw]) -> Self:
        """Of draws that were made one by one."""
        columns = zip(*([getattr(draw, field.name) for field in fields(Draw)] for draw in draws), strict=True)
        return cls(*(torch.tensor(column, dtype=torch.float32) for column in columns))

    def coloured_as(self, other: "Draws") -> "Draws":
        """The same crops and flips, with the light, colours and blur of others."""
        return Draws(*self[:5], *other[5:])

    def on(self, device: torch.device) -> "Draws":
        """The same on a device, in one copy."""
        return Draws(*torch.stack(self).to(device, non_blocking=True).unbind())


def draw_many(rng: np.random.Generator, settings: Augmentation, aspects: Floats) -> Draws:
    """As ``draw`` for N clips at once, of videos of these aspects float64 (N,); other numbers, equally distributed."""
    num = len(aspects)
    left, top, width, height = _crop_boxes(rng, settings.min_crop_area, aspects)
    is_flipped = (rng.random(num) < 0.5) & settings.flip
    has_jitter = rng.random(num) < settings.jitter_probability
    lights = np.where(has_jitter, rng.uniform(1 - settings.jitter, 1 + settings.jitter, (3, num)), 1.0)
    hue_turns = np.where(has_jitter, rng.uniform(-settings.jitter_hue, settings.jitter_hue, num), 0.0)
    lights[2, rng.random(num) < settings.grey_probability] = 0.0
    sigma = np.where(rng.random(num) < settings.blur_probability, rng.uniform(*settings.blur_sigma, num), 0.0)
    columns = np.stack([left, top, width, height, is_flipped, *lights, hue_turns, sigma]).astype(np.float32)
    return Draws(*torch.from_numpy(columns).unbind())


def _crop_boxes(rng: np.random.Generator, min_area: float, aspects: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Left, top, width and height (N,) of each clip's crop: the first of some attempts that lies inside."""
    shape = (_CROP_ATTEMPTS, len(aspects))
    areas, ratios = (
        rng.uniform(min_area, 1, shape),
        np.exp(rng.uniform(math.log(_RATIO[0]), math.log(_RATIO[1]), shape)),
    )
    widths = np.sqrt(areas * ratios / aspects)
    heights = areas / widths
    fits = (widths <= 1) & (heights <= 1)
    first = fits.argmax(axis=0), np.arange(len(aspects))
    largest = np.clip(aspects, *_RATIO)  # the largest centred box of an allowed shape, where none lies inside
    width = np.where(fits.any(axis=0), widths[first], np.minimum(1, largest / aspects))
    height = np.where(fits.any(axis=0), heights[first], np.minimum(1, aspects / largest))
    places = np.where(fits.any(axis=0), rng.random((2, len(aspects))), 0.5)
    return places[0] * (1 - width), places[1] * (1 - height), width, height
