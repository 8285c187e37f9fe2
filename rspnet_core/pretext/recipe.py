"""A pre-training recipe of Algorithm 1: what is learnt from, and how strongly."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rspnet_core.pretext.view_recipe import ViewRecipe

Objective = Literal["rsp", "avid", "vid", "sp"]
_RELEASE: dict[str, Any] = {
    "rsp_temperature": 0.07,
    "margin": 2.0,
    "positives": "both",
    "rsp_gradients": "anchor",
    "sgd_momentum": 0.9,
    "weight_decay": 1e-4,
    "reference_batch_size": 64,
    "pairing": "release",
    "fps": 0,
}
_RELEASE_AUGMENTATION = {"min_crop_area": 0.4, "jitter_probability": 1.0, "jitter_hue": 0.4, "blur_probability": 0.0}


class PretrainRecipe(ViewRecipe):
    """What ``rspnet-train pretrain`` does, as section 4 tells it (Pre-training details)."""

    kind = "pretrain"

    head: Literal["linear", "mlp"] = "linear"
    """Both projection heads: a linear layer (the paper's) or two with a ReLU between."""
    objectives: tuple[Objective, ...] = ("rsp", "avid")
    """Any of rsp, avid, vid (A-VID without speed augmentation) and sp (speed prediction); vid and avid exclude each
    other."""
    release: bool = Field(default=False, strict=True)  # 'True' or 1 would set it and fill nothing
    """True takes what the authors' release does for every setting that is not given: c_j and c_k from one window, the
    hinge on cosines divided by 0.07 with margin 2.0, both other clips as positives, momentum 0.9, weight decay 1e-4, a
    rate that is of 64 videos a step, frames at the files' own rate, crops from 0.4 of the frame, colours always
    jittered, hue by 0.4, no blur."""

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

    @model_validator(mode="before")
    @classmethod
    def _take_release(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("release") is True:
            augmentation = values.get("augmentation", {})
            if isinstance(augmentation, dict):
                augmentation = _RELEASE_AUGMENTATION | augmentation
            return _RELEASE | values | {"augmentation": augmentation}
        return values

    @field_validator("objectives", mode="before")
    @classmethod
    def _one_objective_is_a_list_too(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("objectives")
    @classmethod
    def _combination(cls, value: tuple[Objective, ...]) -> tuple[Objective, ...]:
        if not value or len(set(value)) < len(value) or {"avid", "vid"} <= set(value):
            raise ValueError("name at least one of rsp, avid, vid, sp, each once, and not both avid and vid")
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
