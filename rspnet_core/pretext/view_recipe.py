"""What recipes of pre-training share: which clips of a video are seen together."""

from collections.abc import Mapping
from typing import Any

from pydantic import field_validator, model_validator

from rspnet_core.config import ClipGeometry, ViewSampling
from rspnet_core.pretext.variants import Variants
from rspnet_core.pretext.views import Covers, Pairing, ViewPlan
from rspnet_core.training.recipe import TrainRecipe


class ViewRecipe(TrainRecipe):
    """Settings of the clips c_i, c_j and c_k."""

    pairing: Pairing = "independent"
    """independent: three places and three draws (the paper). release: c_j and c_k are cut from one window with one
    draw, so that speed alone differs; short videos are stretched over the window (the authors' release)."""
    speeds: tuple[int | float, ...] = (1, 2)
    """Playback speeds; each video's two are drawn from them."""

    @field_validator("speeds", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | int | float) else value

    @field_validator("speeds")
    @classmethod
    def _different(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) < 2 or len(set(value)) < len(value) or min(value) <= 0 or max(value) > 64:
            raise ValueError("give at least two different numbers above 0 and at most 64, such as 1,2")
        return value

    @model_validator(mode="after")
    def _steps_of_frames(self) -> "ViewRecipe":
        first = self.speeds[0] * self.frame_step
        if first != round(first) or first < 1:
            raise ValueError(
                f"clips are embedded at the first speed, {self.speeds[0]:g} x frame_step {self.frame_step} = {first:g} "
                "frames: choose a first speed and a frame_step that give a whole number"
            )
        if self.fps is None and self.slowest * self.frame_step < 1:
            raise ValueError(
                f"speed {self.slowest:g} x frame_step {self.frame_step} is below one frame, and would show frames "
                "twice; set a larger frame_step, or fps"
            )
        return self

    @property
    def slowest(self) -> float:
        """Lowest speed that a clip plays at."""
        return min(self.speeds)

    @property
    def sampling(self) -> ViewSampling:
        """How the clips of a video are read."""
        return ViewSampling(
            frames_per_clip=self.frames_per_clip,
            frame_step=self.frame_step,
            fps=self.fps,
            frame_size=self.frame_size,
            stretches=self.pairing == "release",
        )

    @property
    def embedding_geometry(self) -> ClipGeometry:
        """The clips that the encoder sees when it embeds: ten, at the first playback speed."""
        return ClipGeometry(
            frames_per_clip=self.frames_per_clip,
            frame_step=round(self.frame_step * self.speeds[0]),
            size=self.clip_size,
            fps=self.fps,
        )

    def view_plan(self) -> ViewPlan:
        """What is drawn for each step."""
        return self.plan(covers=None)

    def plan(
        self, *, covers: Covers | None, variants: Mapping[str, Variants] | None = None, has_triplet: bool = True
    ) -> ViewPlan:
        """What is drawn for each step: clips that a still covers or none, tasks' variants, and c_i, c_j and c_k."""
        return ViewPlan(
            self.batch_size,
            self.speeds,
            self.pairing,
            self.augmentation,
            self.seed,
            covers,
            variants or {},
            has_triplet,
        )
