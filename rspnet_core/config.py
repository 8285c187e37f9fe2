"""Small typed settings, checked when made and saved beside weights and libraries."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

PARTS = ("backbone", "motion", "appearance")
"""Order of the parts inside a vector."""
HEADS = PARTS[1:]
"""Made by a head each: relative speed perception (RSP), appearance-focused video instance discrimination (A-VID)."""
ENERGY = "energy"
"""The name of the encoder without weights."""
Pooling = Literal["max-mean", "mean"]
ClipSpan = Literal["run", "segments"]
"""run: a clip's frames follow each other. segments: one frame from each of equal parts of the video (TSN, 2016)."""


Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]


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
    span: ClipSpan = Field(default="run", exclude_if=lambda span: span == "run")  # as fingerprints were before it
    """What each clip stretches over; ``segments`` leaves ``frame_step`` without effect."""


class Normalisation(Settings):
    """Per-channel mean and standard deviation (RGB, of values in 0 to 1) taken off the pixels."""

    mean: tuple[Finite, Finite, Finite] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)


class EncoderSpec(Settings):
    """All that must be known to use a set of weights; saved as the .json beside the .safetensors."""

    backbone: str
    """``c3d``, ``resnet18``, ``r2plus1d``, ``s3dg``, ``tsm18``, ``energy``, ``torchvision:NAME`` or one's own."""
    geometry: ClipGeometry
    normalisation: Normalisation = Normalisation()
    head: Literal["linear", "mlp", "none"] = "linear"
    """Kind of the projection heads. Torchvision's encoders have none, whatever this says."""
    classes: tuple[str, ...] = ()
    """What the classifier tells apart, in the order of its rows; empty where there is no classifier."""
    fold: int | None = None
    """Official split on whose train side the classifier was trained."""
    source: str
    """Where the weights come from, for people: a file name, ``official:resnet18``, ``untrained (seed 0)``."""
    trained: bool | None
    """False for random weights; None for an encoder that has none to train, ``energy``."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """SHA-256 over the tensors' names, shapes and values (not over the file)."""


class RandomSampling(Settings):
    """Which clips of a video training sees; whole frames are squashed to a square, crops are cut from it later."""

    frames_per_clip: int = Field(default=16, ge=1, le=512)
    frame_step: int = Field(default=1, ge=1, le=64)
    """Distance between the frames of a clip of speed 1."""
    fps: float | None = Field(default=25, gt=0, le=240)
    """Frames a second to resample to by timestamps (section 4: 25); None reads them as recorded."""
    frame_size: int = Field(default=128, ge=16, le=2048)
    """Side of the square in pixels."""


class WholeVideo(Settings):
    """All frames of a video, squashed to a square."""

    frame_size: int = Field(default=128, ge=16, le=512)
    """Side of the square in pixels."""
    fps: float | None = Field(default=25, gt=0, le=240)
    """Frames a second to resample to by timestamps; None reads them as recorded."""
    max_frames: int = Field(default=1500, ge=1, le=4096)
    """Of a longer video the middle part is taken."""


class ViewSampling(RandomSampling):
    """Pre-training: clips of one video at the places and speeds that were drawn for it."""

    stretches: bool = False
    """A video shorter than the window of its clips, though not than a clip, is stretched over it by showing frames
    twice (the release). Otherwise, and where it is shorter still, it is looped."""


class SingleSampling(RandomSampling):
    """Fine-tuning: one clip at a random place, or over the whole video."""

    span: ClipSpan = "run"


class Augmentation(Settings):
    """How strongly clips are changed at random (section 4; the numbers are those of SimCLR's and MoCo's images)."""

    min_crop_area: float = Field(default=0.2, gt=0, le=1)
    """Smallest part of the frame that a crop keeps."""
    flip: bool = True
    """Mirror every second clip; False where left and right decide a class."""
    jitter_probability: float = Field(default=0.8, ge=0, le=1)
    jitter: float = Field(default=0.4, ge=0, lt=1)
    """Brightness, contrast and saturation are scaled by 1 - jitter to 1 + jitter."""
    jitter_hue: float = Field(default=0.1, ge=0, le=0.5)
    """In turns of the colour circle."""
    grey_probability: float = Field(default=0.2, ge=0, le=1)
    blur_probability: float = Field(default=0.5, ge=0, le=1)
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    """In pixels of a clip of 224 pixels a side, SimCLR's; a smaller clip is blurred by so much less."""
