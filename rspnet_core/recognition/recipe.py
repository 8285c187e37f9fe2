"""A fine-tuning recipe: the paper's settings are the defaults (section 4, Fine-tuning details)."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rspnet_core.config import Augmentation, ClipGeometry, ClipSpan, SingleSampling
from rspnet_core.training.recipe import TrainRecipe


class SupervisedAugmentation(Augmentation):
    """Weaker than pre-training's: what a clip shows must stay its class."""

    min_crop_area: float = Field(default=0.4, gt=0, le=1)
    grey_probability: float = Field(default=0.0, ge=0, le=1)
    blur_probability: float = Field(default=0.0, ge=0, le=1)


class FinetuneRecipe(TrainRecipe):
    """What ``rspnet-train finetune`` does with a labelled folder."""

    kind = "finetune"

    epochs: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=0.01, gt=0)
    classifier_rate_factor: float = Field(default=1.0, gt=0)
    """The new layer learns at this many times the rate."""
    freeze: bool = False
    """True trains the new layer alone: the linear probe."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Part of the pooled features that is dropped before the new layer (Xu et al., 2019, whom section 4 follows)."""
    schedule: Literal["cosine", "steps"] = "cosine"
    milestones: tuple[float, ...] = ()
    """Epochs from which ``steps`` multiplies the rate by ``step_factor`` once more."""
    step_factor: float = Field(default=0.1, gt=0, lt=1)
    span: ClipSpan = "run"
    """What a clip stretches over: ``segments`` (TSN) samples the whole video, as Something-Something-V2 wants."""
    augmentation: Augmentation = SupervisedAugmentation()
    fold: int = Field(default=1, ge=1, le=99)
    """Official split whose train side is learnt from."""

    @field_validator("augmentation", mode="before")
    @classmethod
    def _weaker_defaults(cls, value: Any) -> Any:
        return SupervisedAugmentation.model_validate(value) if isinstance(value, dict) else value

    @field_validator("milestones", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, value: Any) -> Any:
        return [value] if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _milestones_belong_to_steps(self) -> "FinetuneRecipe":
        if (self.schedule == "steps") != bool(self.milestones):
            raise ValueError("schedule 'steps' needs milestones, 'cosine' has none; set both or neither")
        return self

    @property
    def summary(self) -> str:
        """The rate and how it falls."""
        return f"rate {self.peak_rate:g}, {self.schedule}"

    @property
    def sampling(self) -> SingleSampling:
        """Which clip of a video a step sees."""
        return SingleSampling(
            frames_per_clip=self.frames_per_clip,
            frame_step=self.frame_step,
            span=self.span,
            fps=self.fps,
            frame_size=self.frame_size,
        )

    @property
    def geometry(self) -> ClipGeometry:
        """The ten clips that are looked at in a test."""
        return ClipGeometry(
            frames_per_clip=self.frames_per_clip,
            frame_step=self.frame_step,
            size=self.clip_size,
            fps=self.fps,
            span=self.span,
        )
