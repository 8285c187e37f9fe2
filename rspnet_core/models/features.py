"""Decoded clips through an encoder, a few at a time."""

from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.models.two_head import EncoderModel

_CLIPS_AT_ONCE = 4  # bounds memory: one S3D-G clip of 16x224x224 takes about 0.3 GB on its way through


@torch.inference_mode()
def clip_features(model: EncoderModel, clips: NDArray[np.uint8], normalisation: Normalisation) -> Tensor:
    """Feature maps of clips.

    Args:
        model: in eval mode; its own device and dtype are used.
        clips: uint8 (N, T, H, W, 3), RGB.
        normalisation: of the pixels, as in the model's ``EncoderSpec``.

    Returns:
        float32 (N, C, T', H', W') on the model's device.

    Raises:
        InvalidSetting: the model is in training mode (its batch norms would mix the clips), or clips do not fit it.
    """
    if model.training:
        raise InvalidSetting("the model is in training mode, maps need it in eval mode: call model.eval() first")
    # A module from outside may have no parameters, even no buffers.
    weight = next(chain(model.parameters(), model.buffers()), torch.empty(0))
    mean, std = (
        torch.tensor(values, device=weight.device).view(1, 3, 1, 1, 1)
        for values in (normalisation.mean, normalisation.std)
    )
    features = []
    for batch in torch.split(torch.from_numpy(clips), _CLIPS_AT_ONCE):
        pixels = batch.to(weight.device).permute(0, 4, 1, 2, 3).float() / 255
        features.append(model.features(((pixels - mean) / std).to(weight.dtype)).float())
    return torch.cat(features)
