"""Random crops, flips, blur and colours of clips, on the device that trains, one draw a clip for all of its frames.

The augmentations are those of SimCLR (Chen et al., 2020), which section 4 of the paper follows. Cropping with
resizing, flipping and Gaussian blur are linear and separable, so that one small matrix an axis does all three; jitter
of brightness, contrast, saturation and hue, and the turn to grey, are one 3x4 matrix of the colours:

    frames uint8 (N, T, S, S, 3) --rows, columns--> (N, 3, T, size, size) --colours, clamp to 0..1, normalise--> clips
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rspnet_core.config import Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.video.clips.draws import Draw, Draws

BLUR_REACH = 0.1
"""Side of the blur's kernel as part of the clip's side (SimCLR)."""
BLUR_SIDE = 224
"""Side of the clips that a draw's blur is told in pixels of."""
_GREY = torch.tensor([0.299, 0.587, 0.114])
_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = torch.linalg.inv(_TO_YIQ.double()).float()


def apply(frames: Tensor, draws: Sequence[Draw] | Draws, size: int, normalisation: Normalisation) -> Tensor:
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
    many = draws if isinstance(draws, Draws) else Draws.of(draws)
    if frames.dtype != torch.uint8 or frames.ndim != 5 or frames.shape[-1] != 3 or len(many.left) != len(frames):
        raise InvalidSetting(
            f"got {frames.dtype} {tuple(frames.shape)} and {len(many.left)} draws; "
            "needed is uint8 (N, T, S, S, 3), N draws"
        )
    num_clips, num_frames, height, width, _ = frames.shape
    many = many.on(frames.device)
    rows, columns = axis_matrices(many, "y", height, size), axis_matrices(many, "x", width, size)
    # Rows first, as the frames lie: what is put in another order then, colour by colour, is smaller.
    pixels = torch.matmul((rows / 255)[:, None], frames.float().flatten(3))  # (N, T, size, S' * 3)
    pixels = pixels.view(num_clips, num_frames, size, width, 3).permute(0, 4, 1, 2, 3)
    pixels = torch.bmm(pixels.reshape(num_clips, -1, width), columns.mT)  # (N, 3 * T * size, size)
    return coloured(pixels.view(num_clips, 3, num_frames, size, size), many, normalisation)


def axis_matrices(draws: Draws, axis: str, source: int, size: int) -> Tensor:
    """Float32 (N, size, source): they crop, resize, flip and blur along ``x`` or ``y``; their rows sum to 1.

    Resizing is bilinear, with antialiasing where it makes smaller, as torchvision does it.
    """
    start, extent = (draws.left, draws.width) if axis == "x" else (draws.top, draws.height)
    scale = (extent * source / size)[:, None, None]
    places = torch.arange(size, device=start.device)[:, None] + 0.5
    centres = start[:, None, None] * source + places * scale  # of each new pixel, in old ones: (N, size, 1)
    olds = torch.arange(source, device=start.device) + 0.5
    distance = (olds - centres.clamp(0.5, source - 0.5)).abs()
    matrices = (1 - distance / scale.clamp(min=1)).clamp(min=0)
    matrices /= matrices.sum(dim=2, keepdim=True)
    if axis == "x":
        matrices = torch.where(draws.is_flipped.bool()[:, None, None], matrices.flip(1), matrices)
    return _blur_matrices(size, draws.blur_sigma * (size / BLUR_SIDE)) @ matrices


def _blur_matrices(size: int, sigmas: Tensor) -> Tensor:
    """Gaussian blur along one axis, float32 (N, size, size), its edges reflected; a sigma of 0 is the identity."""
    reach = max(int(BLUR_REACH * size) // 2, 1)
    offsets = torch.arange(-reach, reach + 1, device=sigmas.device)
    weights = torch.exp(-0.5 * (offsets / sigmas.clamp(min=1e-3)[:, None]).square())  # (N, offsets)
    weights = weights / weights.sum(dim=1, keepdim=True)
    sources = (torch.arange(size, device=sigmas.device)[:, None] + offsets).abs()  # reflected at 0,
    sources = size - 1 - (size - 1 - sources).abs()  # and at the end: (size, offsets)
    matrices = sigmas.new_zeros(len(sigmas), size, size)
    shape = (len(sigmas), size, len(offsets))
    return matrices.scatter_add_(2, sources.expand(shape), weights[:, None].expand(shape))


def coloured(clips: Tensor, draws: Draws, normalisation: Normalisation) -> Tensor:
    """Clips float32 (N, 3, T, H, W) in 0 to 1 -> the same in new colours, normalised; nothing else of the draws."""
    draws, pixels = draws.on(clips.device), clips.flatten(2)
    greys = pixels.mean(dim=2) @ _GREY.to(pixels.device)  # (N,)
    lifts = (1 - draws.contrast) * draws.brightness
    pixels = torch.baddbmm((greys * lifts)[:, None, None], colour_matrices(draws), pixels).clamp_(0, 1)
    mean, std = (
        torch.tensor(values, device=pixels.device).view(1, 3, 1) for values in (normalisation.mean, normalisation.std)
    )
    return pixels.sub_(mean).div_(std).view(clips.shape)


def colour_matrices(draws: Draws) -> Tensor:
    """Float32 (N, 3, 3): brightness, contrast, saturation and hue, in this order.

    Contrast also adds (1 - contrast) of the clip's mean grey. Saturation and hue keep greys as they are, so that the
    offset stays what it is. Hue turns the colours around the grey axis of YIQ.
    """
    device = draws.left.device
    to_yiq, from_yiq, grey = _TO_YIQ.to(device), _FROM_YIQ.to(device), _GREY.to(device)
    saturation = draws.saturation[:, None, None]
    saturate = saturation * torch.eye(3, device=device) + (1 - saturation) * grey.expand(3, 3)
    turn = 2 * math.pi * draws.hue_turns
    cos, sin, zero = turn.cos(), turn.sin(), torch.zeros_like(turn)
    rotation = torch.stack([zero + 1, zero, zero, zero, cos, -sin, zero, sin, cos], dim=1).view(-1, 3, 3)
    turned: Tensor = from_yiq @ rotation @ to_yiq @ saturate
    return turned * (draws.contrast * draws.brightness)[:, None, None]
