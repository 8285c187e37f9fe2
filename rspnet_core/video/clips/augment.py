"""Random crops, flips, blur and colours of clips, on the device that trains, one draw a clip for all of its frames.

The augmentations are those of SimCLR (Chen et al., 2020), which section 4 of the paper follows. Cropping with
resizing, flipping and Gaussian blur are linear and separable, so that one small matrix an axis does all three; jitter
of brightness, contrast, saturation and hue, and the turn to grey, are one 3x4 matrix of the colours:

    frames uint8 (N, T, S, S, 3) --rows, columns--> (N, 3, T, size, size) --colours, clamp to 0..1, normalise--> clips

Draws are made with numpy on the CPU and depend on the given generators alone, never on the device or the batch.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import Augmentation, Normalisation
from rspnet_core.errors import InvalidSetting

Floats = NDArray[np.float32]

_RATIO = (3 / 4, 4 / 3)
_CROP_ATTEMPTS = 10
BLUR_REACH = 0.1
"""Side of the blur's kernel as part of the clip's side (SimCLR)."""
_GREY = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([_GREY, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


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
    """Pixels of the finished clip; 0 leaves it sharp."""


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


def apply(frames: Tensor, draws: list[Draw], size: int, normalisation: Normalisation) -> Tensor:
    """Carry out one draw a clip.

    Args:
        frames: uint8 (N, T, S, S', 3), RGB, whole frames squashed to S x S' whatever their aspect; any device.
        draws: N of them.
        size: side of the square clips in pixels.
        normalisation: taken off the pixels at the end.

    Returns:
        float32 (N, 3, T, size, size), on the device of ``frames``.

    Raises:
        InvalidSetting: another dtype or shape, or another number of draws.
    """
    if frames.dtype != torch.uint8 or frames.ndim != 5 or frames.shape[-1] != 3 or len(draws) != len(frames):
        raise InvalidSetting(
            f"got {frames.dtype} {tuple(frames.shape)} and {len(draws)} draws; needed is uint8 (N, T, S, S, 3), N draws"
        )
    num_clips, num_frames, height, width, _ = frames.shape
    rows, columns = (
        _on(frames, np.stack([axis_matrix(draw, axis, side, size) for draw in draws]))
        for axis, side in (("y", height), ("x", width))
    )
    pixels = frames.permute(0, 4, 1, 2, 3).float().div_(255)  # (N, 3, T, S, S')
    pixels = torch.bmm(pixels.reshape(num_clips, -1, width), columns.mT)
    pixels = torch.matmul(rows[:, None], pixels.view(num_clips, -1, height, size))  # (N, 3 * T, size, size)
    return _coloured(pixels.view(num_clips, 3, -1), draws, normalisation).view(num_clips, 3, num_frames, size, size)


def axis_matrix(draw: Draw, axis: str, source: int, size: int) -> Floats:
    """The matrix (size, source) that crops, resizes, flips and blurs along ``x`` or ``y``; its rows sum to 1.

    Resizing is bilinear, with antialiasing where it makes smaller, as torchvision does it.
    """
    start, extent = (draw.left, draw.width) if axis == "x" else (draw.top, draw.height)
    scale = extent * source / size
    centres = start * source + (np.arange(size) + 0.5) * scale  # of each new pixel, in old ones
    distance = np.abs(np.arange(source) + 0.5 - np.clip(centres, 0.5, source - 0.5)[:, None])
    matrix = np.maximum(0, 1 - distance / max(scale, 1))
    matrix /= matrix.sum(axis=1, keepdims=True)
    if draw.is_flipped and axis == "x":
        matrix = matrix[::-1]
    if draw.blur_sigma > 0:
        matrix = _blur_matrix(size, draw.blur_sigma) @ matrix
    single: Floats = matrix.astype(np.float32)
    return single


def _blur_matrix(size: int, sigma: float) -> NDArray[np.float64]:
    """Gaussian blur along one axis (size, size), its edges reflected."""
    reach = max(int(BLUR_REACH * size) // 2, 1)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    sources = np.abs(np.arange(size)[:, None] + offsets)  # reflected at 0,
    sources = size - 1 - np.abs(size - 1 - sources)  # and at the end
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], sources), weights / weights.sum())
    return matrix


def _coloured(pixels: Tensor, draws: list[Draw], normalisation: Normalisation) -> Tensor:
    """Pixels (N, 3, P) in 0..1 -> the same with new colours, normalised."""
    matrices = _on(pixels, np.stack([colour_matrix(draw) for draw in draws]))  # (N, 3, 3)
    greys = pixels.mean(dim=2) @ _on(pixels, _GREY)  # (N,)
    lifts = _on(pixels, np.array([(1 - draw.contrast) * draw.brightness for draw in draws]))
    pixels = torch.baddbmm((greys * lifts)[:, None, None], matrices, pixels).clamp_(0, 1)
    mean, std = (_on(pixels, np.array(values)).view(1, 3, 1) for values in (normalisation.mean, normalisation.std))
    return pixels.sub_(mean).div_(std)


def colour_matrix(draw: Draw) -> NDArray[np.float64]:
    """The 3x3 matrix of brightness, contrast, saturation and hue, in this order.

    Contrast also adds (1 - contrast) of the clip's mean grey. Saturation and hue keep greys as they are, so that the
    offset stays what it is. Hue turns the colours around the grey axis of YIQ.
    """
    saturate = draw.saturation * np.eye(3) + (1 - draw.saturation) * np.ones((3, 1)) * _GREY
    turn = 2 * np.pi * draw.hue_turns
    rotation = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    turned: NDArray[np.float64] = _FROM_YIQ @ rotation @ _TO_YIQ @ saturate * (draw.contrast * draw.brightness)
    return turned


def _on(like: Tensor, values: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(like.device, non_blocking=True)
