"""A pre-training recipe: what is learnt from, and how strongly."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rspnet_core.config import SpeedSampling
from rspnet_core.training.recipe import TrainRecipe

Objective = Literal["rsp", "avid", "vid", "sp"]
_RELEASE: dict[str, Any] = {
    "rsp_temperature": 0.07,
    "margin": 2.0,
    "positives": "both",
    "rsp_gradients": "anchor",
    "sgd_momentum": 0.9,
    "weight_decay": 1e-4,
}


class PretrainRecipe(TrainRecipe):
    """What ``rspnet-train pretrain`` does with a folder of videos (section 4, Pre-training details)."""

    kind = "pretrain"

    head: Literal["linear", "mlp"] = "linear"
    """Both projection heads: a linear layer (the paper's) or two with a ReLU between."""
    objectives: tuple[Objective, ...] = ("rsp", "avid")
    """Any of rsp, avid, vid (A-VID without speed augmentation) and sp (speed prediction); vid and avid exclude each
    other."""
    release: bool = Field(default=False, strict=True)  # 'True' or 1 would set it and fill nothing
    """True takes what the authors' release does for every setting that is not given: the hinge on cosines divided by
    0.07 with margin 2.0, both other clips as positives, momentum 0.9, weight decay 1e-4."""

    queue_size: int = Field(default=16384, ge=1)
    """K."""
    momentum: float = Field(default=0.999, ge=0, lt=1)
    """m of the key encoder."""
    temperature: float = Field(default=0.07, gt=0)
    """tau of InfoNCE."""
    margin: float = Field(default=0.15, gt=0)
    """gamma of Eq. 2, in units of cosine / rsp_temperature."""
    rsp_temperature: float = Field(default=1.0, gt=0)
    """Cosines of Eq. 2 are divided by it: 1 is the equation as printed, 0.07 the release's."""
    rsp_gradients: Literal["all", "anchor"] = "all"
    """all: c_i, c_j and c_k go through the encoder in training (Algorithm 1). anchor: c_j and c_k through the key
    encoder (the release), at half the cost."""
    appearance_weight: float = Field(default=1.0, ge=0)
    """lambda of Eq. 1, for avid and vid."""
    positives: Literal["random", "both"] = "random"
    """The clip that A-VID pairs with c_i: c_j or c_k at random (section 3.2), or a term for each (the release)."""

    speeds: tuple[int, ...] = (1, 2)

    @model_validator(mode="before")
    @classmethod
    def _take_release(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("release") is True:
            return _RELEASE | values
        return values

    @field_validator("objectives", "speeds", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | int) else value

    @field_validator("objectives")
    @classmethod
    def _combination(cls, value: tuple[Objective, ...]) -> tuple[Objective, ...]:
        if not value or len(set(value)) < len(value) or {"avid", "vid"} <= set(value):
            raise ValueError("name at least one of rsp, avid, vid, sp, each once, and not both avid and vid")
        return value

    @field_validator("speeds")
    @classmethod
    def _different(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) < 2 or len(set(value)) < len(value) or min(value) < 1:
            raise ValueError("give at least two different whole numbers from 1, such as 1,2")
        return value

    @model_validator(mode="after")
    def _vid_has_one_positive(self) -> "PretrainRecipe":
        if "vid" in self.objectives and self.positives == "both":
            raise ValueError("positives 'both' takes a clip of another speed, vid has c_j alone; set positives=random")
        return self

    @property
    def appearance_objective(self) -> Literal["avid", "vid"] | None:
        """The form of instance discrimination, if any."""
        return "avid" if "avid" in self.objectives else "vid" if "vid" in self.objectives else None

    @property
    def summary(self) -> str:
        """The objectives."""
        return "+".join(self.objectives) + (" (release)" if self.release else "")

    def weight_of(self, objective: str) -> float:
        """Weight of an objective's loss in Eq. 1."""
        return self.appearance_weight if objective in {"avid", "vid"} else 1.0

    @property
    def sampling(self) -> SpeedSampling:
        """Which clips of a video it sees."""
        return SpeedSampling(
            frames_per_clip=self.frames_per_clip,
            frame_step=self.frame_step,
            speeds=self.speeds,
            anchor_at_first_speed=self.appearance_objective == "vid",
            fps=self.fps,
            frame_size=self.frame_size,
        )
