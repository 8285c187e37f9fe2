"""Small typed settings, checked when made and saved beside weights and libraries."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Pooling = Literal["max-mean", "mean"]


class Settings(BaseModel):
    """Frozen, strict base: an unknown or ill-typed field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ClipGeometry(Settings):
    """Which frames of a video an encoder sees, and at what size."""

    num_clips: int = Field(default=10, ge=1, le=1000)
    """Clips taken evenly over the video (section 4.3: ten)."""
    frames_per_clip: int = Field(default=16, ge=1, le=512)
    """Frames of one clip (section 4: 16)."""
    frame_step: int = Field(default=1, ge=1, le=64)
    """Distance between the frames of a clip, in frames; 1 is the paper's 1x playback speed."""
    size: int = Field(default=112, ge=16, le=1024)
    """Side of the square clip in pixels: the largest centred square of the frame, resized."""
    fps: float | None = Field(default=None, gt=0, le=240)
    """Frames a second to resample to by timestamps (the paper's videos have 25); None reads them as recorded."""


class Normalisation(Settings):
    """Per-channel mean and standard deviation (RGB, of values in 0 to 1) taken off the pixels."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class EncoderSpec(Settings):
    """All that must be known to use a set of weights; saved as the .json beside the .safetensors."""

    backbone: str
    """``c3d``, ``resnet18``, ``r2plus1d``, ``s3dg``, ``tsm18`` or ``torchvision:NAME``."""
    geometry: ClipGeometry
    normalisation: Normalisation = Normalisation()
    source: str
    """Where the weights come from, for people: a file name, ``official:resnet18``, ``untrained (seed 0)``."""
    trained: bool
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 over the tensors' names, shapes and values (not over the file)."""
