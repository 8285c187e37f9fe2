"""Trainings and results in a folder: what is done already is not done again, and not mixed with other settings."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rspnet_core.atomic import replace_text
from rspnet_core.errors import InvalidSetting
from rspnet_core.training.recipe import TrainRecipe
from rspnet_core.training.recipe_file import load_recipe

Document = dict[str, Any]


class Stopped(Exception):
    """Ctrl-C or SIGTERM ended a run; its state is saved."""


@dataclass(frozen=True)
class Step:
    """One run of training, wanted or there."""

    folder: Path
    recipe: TrainRecipe

    def check(self) -> None:
        """Raise InvalidSetting when the folder holds a run of other settings."""
        written = self.folder / "recipe.toml"
        if written.exists() and load_recipe(type(self.recipe), str(written), {}) != self.recipe:
            raise InvalidSetting(f"{self.folder} was begun with other settings; give the same ones, or another --out")


def once(path: Path, steps: list[Step], make: Callable[[], Document]) -> Document:
    """What ``path`` holds, which ``steps`` lead to, made first if it is not there.

    Raises InvalidSetting when it was made with other settings.
    """
    for step in steps:
        step.check()
    if not path.exists():
        replace_text(path, json.dumps(make()))
    document: Document = json.loads(path.read_text(encoding="utf-8"))
    return document
