"""A pre-training recipe: every setting of a run, read from TOML, checked, and saved with the run."""

import json
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from rspnet_core.config import Augmentation, Settings, SpeedSampling
from rspnet_core.errors import InvalidSetting
from rspnet_core.training.optimiser import OptimiserName

Objective = Literal["rsp", "avid", "vid", "sp"]
_RELEASE: dict[str, Any] = {
    "rsp_temperature": 0.07,
    "margin": 2.0,
    "positives": "both",
    "rsp_gradients": "anchor",
    "sgd_momentum": 0.9,
    "weight_decay": 1e-4,
}


class PretrainRecipe(Settings):
    """What ``rspnet-train pretrain`` does with a folder of videos (section 4, Pre-training details)."""

    model_config = ConfigDict(allow_inf_nan=False)

    backbone: str = "resnet18"
    head: Literal["linear", "mlp"] = "linear"
    """Both projection heads: a linear layer (the paper's) or two with a ReLU between."""
    objectives: tuple[Objective, ...] = ("rsp", "avid")
    """Any of rsp, avid, vid (A-VID without speed augmentation) and sp (speed prediction); vid and avid exclude each
    other."""
    release: bool = Field(default=False, strict=True)  # 'True' or 1 would set it and fill nothing
    """True takes what the authors' release does for every setting that is not given: the hinge on cosines divided by
    0.07 with margin 2.0, both other clips as positives, momentum 0.9, weight decay 1e-4."""

    epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=64, ge=2)
    """Videos a step, of all processes together."""
    learning_rate: float = Field(default=0.1, gt=0)
    final_rate: float = Field(default=1e-3, ge=0, le=1)
    """The cosine schedule ends at this part of the rate (the release's)."""
    warmup_epochs: float = Field(default=0, ge=0)
    """Epochs in which the rate rises linearly from 0."""
    optimiser: OptimiserName = "sgd"
    """sgd (the paper's and the release's) or adamw, which wants a far lower rate, such as 0.001."""
    sgd_momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)

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

    frames_per_clip: int = Field(default=16, ge=1, le=512)
    frame_step: int = Field(default=1, ge=1, le=64)
    clip_size: int = Field(default=112, ge=16, le=1024)
    speeds: tuple[int, ...] = (1, 2)
    fps: float | None = Field(default=25, gt=0, le=240)
    """Frames a second to resample to; 0 in TOML and on the command line reads videos as recorded."""
    augmentation: Augmentation = Augmentation()

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the backbone; heads and losses are float32. auto: bf16 on GPUs that have it, fp32 elsewhere."""
    seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="before")
    @classmethod
    def _take_release(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("release") is True:
            return _RELEASE | values
        return values

    @field_validator("fps", mode="before")
    @classmethod
    def _no_resampling(cls, value: Any) -> Any:
        return None if value == 0 else value

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

    def weight_of(self, objective: str) -> float:
        """Weight of an objective's loss in Eq. 1."""
        return self.appearance_weight if objective in {"avid", "vid"} else 1.0

    @property
    def sampling(self) -> SpeedSampling:
        """Which clips of a video it sees. Frames are an eighth larger than clips, as 128 is to 112."""
        return SpeedSampling(
            frames_per_clip=self.frames_per_clip,
            frame_step=self.frame_step,
            speeds=self.speeds,
            anchor_at_first_speed=self.appearance_objective == "vid",
            fps=self.fps,
            frame_size=max(64, round(self.clip_size * 8 / 7)),
        )


def recipe_names() -> list[str]:
    """Names of the recipes that come with rspnet."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def load_recipe(name: str | None, overrides: dict[str, Any]) -> PretrainRecipe:
    """A recipe by name or file, with some settings replaced.

    Args:
        name: one of ``recipe_names()``, a path to a .toml file (a run's ``recipe.toml``), or None for the defaults.
        overrides: setting to value; a value that is a string is read as TOML where it can be, ``rsp,avid`` as a list.

    Raises:
        InvalidSetting: no such recipe, no TOML, an unknown setting or a value out of range.
    """
    values = {} if name is None else _read(name)
    for key, value in overrides.items():
        table, _, field = key.rpartition(".")
        target = values.setdefault(table, {}) if table else values
        if not isinstance(target, dict):
            raise InvalidSetting(f"--set {key}: {table} has no settings of its own")
        target[field] = _parsed(value) if isinstance(value, str) else value
    try:
        return PretrainRecipe.model_validate(values)
    except ValidationError as error:
        raise InvalidSetting(_first_problem(error)) from None


def to_toml(recipe: PretrainRecipe) -> str:
    """All settings, the defaults too, as TOML that ``load_recipe`` reads back to an equal recipe."""
    values = recipe.model_dump(mode="json")
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    lines = [f"{name} = {_toml_value(value)}" for name, value in values.items() if name not in tables]
    for table, settings in tables.items():
        lines += ["", f"[{table}]", *(f"{name} = {_toml_value(value)}" for name, value in settings.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if value is None:
        return "0"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _read(name: str) -> dict[str, Any]:
    try:
        if name.endswith(".toml"):
            return tomllib.loads(Path(name).read_text(encoding="utf-8"))
        if name in recipe_names():
            return tomllib.loads(_folder().joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"cannot read the recipe {name}: {error}") from None
    raise InvalidSetting(f"no recipe {name!r}; have {', '.join(recipe_names())}, or give a .toml file")


def _parsed(text: str) -> Any:
    """A value as it is typed: TOML where it is TOML, comma-separated words and numbers as a list, else a string."""
    if "," in text and not text.startswith("["):
        return [_parsed(part.strip()) for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        table = Augmentation if len(first["loc"]) > 1 else PretrainRecipe
        return f"unknown setting {name!r}; have {', '.join(table.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: got {first['input']!r}: {message}" if name else message


def _folder() -> Traversable:
    return resources.files("rspnet_core").joinpath("recipes")
