"""What the recipes of pre-training and fine-tuning share: network, optimiser, clips and precision of a run."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator

from rspnet_core.config import Augmentation, Settings


class TrainRecipe(Settings):
    """Every setting of a run, saved with it; each kind of training has its own subclass with its own defaults."""

    model_config = ConfigDict(allow_inf_nan=False)
    kind: ClassVar[str]
    """Folder of the recipes that come with rspnet, and the command that takes them."""

    backbone: str = "resnet18"
    from_weights: str = ""
    """What ``--from`` named: weights to start from; empty starts from random ones."""

    epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=64, ge=2)
    """Videos a step, of all processes together."""
    learning_rate: float = Field(default=0.1, gt=0)
    reference_batch_size: int = Field(default=0, ge=0)
    """Videos a step that ``learning_rate`` is of; other batches take it in proportion (Goyal et al. 2017, section 2.1,
    https://arxiv.org/abs/1706.02677). 0 takes it as it is."""
    final_rate: float = Field(default=1e-3, ge=0, le=1)
    """The cosine schedule ends at this part of the rate (the release's)."""
    warmup_epochs: float = Field(default=0, ge=0)
    """Epochs in which the rate rises linearly from 0."""
    optimiser: Literal["sgd", "adamw"] = "sgd"
    """sgd (the paper's and the release's) or adamw, which wants a far lower rate, such as 0.001."""
    sgd_momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)

    frames_per_clip: int = Field(default=16, ge=1, le=512)
    frame_step: int = Field(default=1, ge=1, le=64)
    clip_size: int = Field(default=112, ge=16, le=1024)
    fps: float | None = Field(default=25, gt=0, le=240)
    """Frames a second to resample to; 0 in TOML and on the command line reads videos as recorded."""
    augmentation: Augmentation = Augmentation()

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the backbone; heads and losses are float32. auto: bf16 on GPUs that have it, fp32 elsewhere."""
    seed: int = Field(default=0, ge=0, lt=2**31)

    @field_validator("fps", mode="before")
    @classmethod
    def _no_resampling(cls, value: Any) -> Any:
        return None if value == 0 else value

    def toml_values(self) -> dict[str, Any]:
        """All settings as TOML can hold them, which has no null: ``fps`` None is 0, as it is typed."""
        return self.model_dump(mode="json") | ({"fps": 0} if self.fps is None else {})

    @property
    def peak_rate(self) -> float:
        """The learning rate of ``batch_size``."""
        return self.learning_rate * (self.batch_size / self.reference_batch_size if self.reference_batch_size else 1)

    @property
    def summary(self) -> str:
        """What tells it from others of its kind, in a few words."""
        return ""

    @property
    def frame_size(self) -> int:
        """Side of the decoded frames: an eighth larger than clips, as 128 is to 112."""
        return max(64, round(self.clip_size * 8 / 7))
