"""Recipes as TOML: those that come with rspnet, a user's, and the one that every run keeps; read, checked, written."""

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import ValidationError

from rspnet_core.config import Augmentation
from rspnet_core.errors import InvalidSetting
from rspnet_core.training.recipe import TrainRecipe

Recipe = TypeVar("Recipe", bound=TrainRecipe)


def recipe_names(kind: type[TrainRecipe]) -> list[str]:
    """Names of the recipes of a kind that come with rspnet."""
    entries = _folder(kind).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def load_recipe(kind: type[Recipe], name: str | None, overrides: dict[str, Any]) -> Recipe:
    """A recipe by name or file, with some settings replaced.

    Args:
        kind: ``PretrainRecipe`` or ``FinetuneRecipe``.
        name: one of ``recipe_names(kind)``, a path to a .toml file (a run's ``recipe.toml``), or None for the defaults.
        overrides: setting to value; a value that is a string is read as TOML where it can be, ``rsp,avid`` as a list.

    Raises:
        InvalidSetting: no such recipe, no TOML, an unknown setting or a value out of range.
    """
    values = {} if name is None else _read(kind, name)
    for key, value in overrides.items():
        *tables, field = key.split(".")
        target = values
        for table in tables:
            target = target.setdefault(table, {})
            if not isinstance(target, dict):
                raise InvalidSetting(f"--set {key}: {table} has no settings of its own")
        target[field] = _parsed(value) if isinstance(value, str) else value
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InvalidSetting(_first_problem(kind, error)) from None


def has_table(kind: type[TrainRecipe], name: str, table: str) -> bool:
    """Whether a recipe by name or file has a table of that name. Raises InvalidSetting as ``load_recipe`` does."""
    return isinstance(_read(kind, name).get(table), dict)


def to_toml(recipe: TrainRecipe) -> str:
    """All settings, the defaults too, as TOML that ``load_recipe`` reads back to an equal recipe."""
    return tomli_w.dumps(recipe.toml_values())


def _read(kind: type[TrainRecipe], name: str) -> dict[str, Any]:
    try:
        if name.endswith(".toml"):
            return tomllib.loads(Path(name).read_text(encoding="utf-8"))
        if name in recipe_names(kind):
            return tomllib.loads(_folder(kind).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"cannot read the recipe {name}: {error}") from None
    raise InvalidSetting(
        f"no recipe {name!r} of {kind.kind}; have {', '.join(recipe_names(kind))}, or give a .toml file"
    )


def _parsed(text: str) -> Any:
    """A value as it is typed: TOML where it is TOML, comma-separated words and numbers as a list, else a string."""
    if "," in text and not text.startswith("["):
        return [_parsed(part.strip()) for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _first_problem(kind: type[TrainRecipe], error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        table = Augmentation if len(first["loc"]) > 1 else kind
        return f"unknown setting {name!r}; have {', '.join(table.model_fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: got {first['input']!r}: {message}" if name else message


def _folder(kind: type[TrainRecipe]) -> Traversable:
    return resources.files("rspnet_core").joinpath("recipes", kind.kind)
