"""A recipe of several tasks upon one encoder: ``[objectives.NAME]`` tables say which, and how strongly."""

from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator

from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.pretext.tasks.objective import ObjectiveSettings
from rspnet_core.pretext.tasks.still import StillContrast
from rspnet_core.pretext.variants import Variants
from rspnet_core.pretext.view_recipe import ViewRecipe
from rspnet_core.pretext.views import Pairing, ViewPlan
from rspnet_core.training.recipe_file import has_table, recipe_names


class JointRecipe(ViewRecipe):
    """What ``rspnet-train pretrain`` does where a recipe has ``[objectives.NAME]`` tables."""

    kind = "store"

    pairing: Pairing = "release"

    objectives: dict[str, SerializeAsAny[ObjectiveSettings]]
    """Name -> settings; the names are those of ``pretext.tasks.OBJECTIVES``."""
    batch_size: int = Field(default=32, ge=2)
    """Videos a step; each is seen in three clips, with ``still`` in four."""
    num_programs: int = Field(default=0, ge=0)
    """Rendered motion programs a step, each in two looks; 0 renders none."""
    optimiser: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = Field(default=5e-4, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    warmup_steps: int = Field(default=20, ge=0)
    """Steps in which the rate rises linearly from 0."""

    @field_validator("objectives", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not value or not value.keys() <= OBJECTIVES.keys():
            raise ValueError(f"name at least one of {', '.join(OBJECTIVES)}, each as a table [objectives.NAME]")
        found = {}
        for name, table in value.items():
            kind = OBJECTIVES[name].Settings
            try:
                found[name] = kind.model_validate(table.model_dump() if isinstance(table, ObjectiveSettings) else table)
            except ValidationError as error:
                first = error.errors()[0]
                have = ", ".join(kind.model_fields)
                raise ValueError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']} (have {have})") from None
        return found

    @field_validator("num_programs")
    @classmethod
    def _ring(cls, value: int) -> int:
        if value == 1:
            raise ValueError("a ring needs two programs at least; 0 renders none")
        return value

    @field_validator("from_weights", "warmup_epochs")
    @classmethod
    def _not_here(cls, value: Any) -> Any:
        if value:
            raise ValueError("such a run begins with random weights and warms up by warmup_steps; leave it out")
        return value

    @model_validator(mode="after")
    def _has_programs(self) -> "JointRecipe":
        if not self.num_programs and self.objectives.keys() & {"programs", "looks"}:
            raise ValueError("programs and looks are learnt from rendered motion; set num_programs, or leave them out")
        return self

    def view_plan(self) -> ViewPlan:
        """What is drawn for each step."""
        still = self.objectives.get("still")
        covers = still.still_of if isinstance(still, StillContrast.Settings) else None
        variants = self.variants
        return self.plan(covers=covers, variants=variants, has_triplet=len(variants) < len(self.objectives))

    @property
    def variants(self) -> dict[str, Variants]:
        """Task -> the clips that it wants beside c_i, c_j and c_k, or in their place."""
        wanted = {name: OBJECTIVES[name].variants(settings) for name, settings in self.objectives.items()}
        return {name: each for name, each in wanted.items() if each is not None}

    @property
    def slowest(self) -> float:
        """Those of the tasks too."""
        return min(super().slowest, *(min(each.speeds) for each in self.variants.values()), 64)

    @property
    def summary(self) -> str:
        """The objectives."""
        return "+".join(self.objectives)


def is_joint(name: str | None) -> bool:
    """Whether a recipe, by name or file, is a ``JointRecipe``. Raises InvalidSetting for a file that is no TOML."""
    if name is None or name in recipe_names(JointRecipe):
        return name is not None
    return name.endswith(".toml") and has_table(JointRecipe, name, "objectives")
