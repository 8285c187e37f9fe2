"""Fine-tuning recipes: the paper's settings and the release's rates."""

from pathlib import Path

import pytest

from rspnet_core.cli.training import chosen_recipe
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import BACKBONES
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.training.recipe_file import load_recipe, recipe_names, to_toml


def recipe(name: str | None, **changes: object) -> FinetuneRecipe:
    return load_recipe(FinetuneRecipe, name, changes)


@pytest.mark.parametrize("name", recipe_names(FinetuneRecipe))
def test_every_recipe_loads_and_comes_back_from_its_toml(name: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(to_toml(recipe(name)))
    assert recipe(str(tmp_path / "recipe.toml")) == recipe(name)


@pytest.mark.parametrize("backbone", sorted(BACKBONES.keys() - {"small18"}))
@pytest.mark.parametrize(("data", "epochs"), [("ucf101", 30), ("hmdb51", 70), ("something", 50), ("kinetics", 30)])
def test_recipes_have_the_papers_settings(data: str, epochs: int, backbone: str) -> None:
    found = recipe(f"{data}-{backbone}")
    assert (found.backbone, found.epochs, found.learning_rate, found.optimiser) == (backbone, epochs, 0.01, "sgd")
    assert found.frames_per_clip == (8 if backbone == "tsm18" else 16)
    assert found.clip_size == (224 if backbone == "s3dg" else 112)
    if data == "something":
        assert (found.schedule, found.milestones, found.step_factor) == ("steps", (20, 40), 0.1)
        assert (found.span, found.geometry.span, found.augmentation.flip) == ("segments", "segments", False)
    else:
        assert (found.schedule, found.span, found.augmentation.flip) == ("cosine", "run", True)


def test_the_releases_rates_are_recipes_too() -> None:
    rates = {name: recipe(f"release-ucf101-{name}").learning_rate for name in ("resnet18", "r2plus1d", "c3d", "s3dg")}
    assert rates == {"resnet18": 0.1, "r2plus1d": 0.1, "c3d": 0.005, "s3dg": 0.005}
    assert (recipe("release-ucf101-s3dg").frames_per_clip, recipe("release-ucf101-s3dg").epochs) == (64, 50)


def test_a_changed_augmentation_keeps_the_weak_defaults_of_the_rest() -> None:
    changed = recipe("ucf101-c3d", **{"augmentation.flip": "false"}).augmentation
    assert (changed.flip, changed.blur_probability, changed.min_crop_area) == (False, 0, 0.4)


@pytest.mark.parametrize("changes", [{"schedule": "steps"}, {"milestones": "3"}])
def test_steps_and_milestones_come_together(changes: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match="set both or neither"):
        recipe(None, **changes)


def test_an_unknown_recipe_names_those_of_fine_tuning() -> None:
    with pytest.raises(InvalidSetting, match=r"no recipe 'k400-c3d' of finetune; have hmdb51-c3d"):
        recipe("k400-c3d")


def test_torchvisions_weights_name_their_network() -> None:
    name = "torchvision:r3d_18"
    chosen = chosen_recipe(FinetuneRecipe, "ucf101-resnet18", None, ["epochs=2"], name, resumed=None)
    assert (chosen.backbone, chosen.from_weights, chosen.epochs) == (name, name, 2)


def test_a_resumed_run_has_its_recipe_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(to_toml(recipe("hmdb51-c3d", epochs="3")))
    assert chosen_recipe(FinetuneRecipe, None, None, None, None, resumed=tmp_path) == recipe("hmdb51-c3d", epochs="3")


def test_a_run_is_resumed_by_the_command_that_began_it_and_by_no_other(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.touch()
    began = ("hmdb51-c3d", None, ["epochs=3"], str(weights))
    first = chosen_recipe(FinetuneRecipe, *began, resumed=None)
    (tmp_path / "recipe.toml").write_text(to_toml(first))
    assert chosen_recipe(FinetuneRecipe, *began, resumed=tmp_path) == first
    with pytest.raises(InvalidSetting, match="was begun with epochs = 3, now it is 4"):
        chosen_recipe(FinetuneRecipe, "hmdb51-c3d", None, ["epochs=4"], str(weights), resumed=tmp_path)
    with pytest.raises(InvalidSetting, match="was begun with from_weights"):
        chosen_recipe(FinetuneRecipe, "hmdb51-c3d", None, ["epochs=3"], "other.safetensors", resumed=tmp_path)
