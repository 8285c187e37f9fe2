"""Clips as the loop reads them that features are commonly made with: decord at full size, resized and cut by PyTorch.

Only measurements use it, to compare with.
"""

from pathlib import Path

import decord
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rspnet_core.config import EncoderSpec
from rspnet_core.errors import VideoError


def plain_clips(path: Path, spec: EncoderSpec) -> Tensor:
    """Evenly spaced clips of a video, normalised: float32 (num_clips, 3, T, size, size).

    Raises VideoError where decord cannot read it.
    """
    geometry, size = spec.geometry, spec.geometry.size
    try:
        reader = decord.VideoReader(str(path))
        last, steps = len(reader) - 1, np.arange(geometry.frames_per_clip) * geometry.frame_step
        starts = np.linspace(0, max(last - steps[-1], 0), geometry.num_clips).astype(int)
        frames = reader.get_batch((starts[:, None] + steps).ravel().clip(max=last)).asnumpy()
    except (decord.DECORDError, RuntimeError) as error:
        raise VideoError(f"{path}: the plain loop cannot read it; measure a folder without it") from error
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    height, width = pixels.shape[2:]
    scaled = [max(size, round(size * side / min(height, width))) for side in (height, width)]
    small = interpolate(pixels, scaled, mode="bilinear")
    top, left = ((side - size) // 2 for side in scaled)
    cut = small[..., top : top + size, left : left + size]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (spec.normalisation.mean, spec.normalisation.std))
    clips = ((cut - mean) / std).view(geometry.num_clips, -1, *cut.shape[1:])
    return clips.transpose(1, 2).contiguous()
