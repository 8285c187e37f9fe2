"""An encoder whose heads are known: one can only see motion, the other only what stands still; with scenes for both.

+---------+---------+
| drifting|         |   the motion: stripes that drift to the right or to the left
| stripes |         |
+---------+---------+
|         | still   |   the appearance: stripes that stand still, upright or level
|         | stripes |
+---------+---------+
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.config import ClipGeometry, EncoderSpec, Normalisation
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.two_head import TwoHeadModel
from rspnet_core.video.making.encode import write_video

SIDE, FRAMES, PERIOD = 64, 8, 8
MOVING, STILL = (slice(4, 28), slice(4, 28)), (slice(36, 60), slice(36, 60))
"""Rows and columns of the two patches of stripes."""
QUARTERS = {"motion": (slice(0, 32), slice(0, 32)), "appearance": (slice(32, 64), slice(32, 64))}
"""Head to the quarter of the frame where its patch lies."""

SPEC = EncoderSpec(
    backbone="hand-set",
    geometry=ClipGeometry(num_clips=2, frames_per_clip=FRAMES, size=SIDE),
    normalisation=Normalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    source="test",
    trained=True,
    sha256="0" * 64,
)


class MotionAndTexture(Backbone):
    """Channels: moves to the right, moves to the left, upright edges that stay, level edges that stay."""

    channels = 4

    def forward(self, clips: Tensor) -> Tensor:
        grey = clips.mean(dim=1)
        change = (grey[:, 1:] - grey[:, :-1])[:, :, 1:, 1:]  # over time; 0 wherever nothing moves
        across = (grey[..., 1:, 1:] - grey[..., 1:, :-1])[:, 1:]
        down = (grey[..., 1:, 1:] - grey[..., :-1, 1:])[:, 1:]
        maps = torch.stack(
            [
                F.relu(-change * across),  # brightness constancy: change = -speed * slope
                F.relu(change * across),
                across.square().amin(dim=1, keepdim=True).expand_as(change),  # drifting stripes are level once a period
                down.square().amin(dim=1, keepdim=True).expand_as(change),
            ],
            dim=1,
        )
        return F.adaptive_avg_pool3d(maps, (2, 8, 8))


def hand_set_encoder() -> TwoHeadModel:
    """The motion head reads the first two channels, the appearance head the last two."""
    model = TwoHeadModel(MotionAndTexture())
    with torch.no_grad():
        for head, channels in ((model.motion_head, (0, 1)), (model.appearance_head, (2, 3))):
            head.weight.zero_()
            head.bias.zero_()
            for row, channel in enumerate(channels):
                head.weight[row, channel] = 1
    return model.eval()


def scene(motion: str, texture: str, num_frames: int = 2 * FRAMES) -> NDArray[np.uint8]:
    """uint8 (num_frames, 64, 64, 3): stripes that drift ``right`` or ``left``, still ones ``upright`` or ``level``."""
    frames = np.full((num_frames, SIDE, SIDE), 128, np.uint8)
    y, x = np.mgrid[:24, :24]
    contrast = 120 * np.outer(np.hanning(24), np.hanning(24))  # fades out, so that the patches have no edges
    step = {"right": 1, "left": -1}[motion]
    for time, frame in enumerate(frames):
        frame[MOVING] = 128 + contrast * np.sin((x - step * time) * 2 * np.pi / PERIOD)
        frame[STILL] = 128 + contrast * np.sin({"upright": x, "level": y}[texture] * 2 * np.pi / PERIOD)
    return np.repeat(frames[..., None], 3, axis=3)


def write_scene(folder: Path, motion: str, texture: str) -> Path:
    path = folder / f"{motion}-{texture}.mp4"
    write_video(path, scene(motion, texture), crf=4)
    return path


def share_in_quarter(values: NDArray[np.float32], head: str) -> float:
    """Share of a map (T, 64, 64) that lies in the quarter with what that head sees."""
    return float(values[:, *QUARTERS[head]].sum() / values.sum())
