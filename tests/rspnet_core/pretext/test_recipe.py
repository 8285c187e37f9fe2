"""Recipes: they load, come back from their own TOML, and wrong settings are named."""

import json
from pathlib import Path

import pytest
from torch import nn
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import BACKBONES
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.training.optimiser import optimiser_of
from rspnet_core.training.recipe_file import load_recipe, recipe_names, to_toml
from rspnet_core.training.schedule import cosine_schedule

OF_THE_PAPER = sorted(BACKBONES.keys() - {"small18"})


@pytest.mark.parametrize("name", recipe_names(PretrainRecipe))
def test_every_recipe_loads_and_comes_back_from_its_toml(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(PretrainRecipe, name, {})
    saved = tmp_path / "recipe.toml"
    saved.write_text(to_toml(recipe))
    assert load_recipe(PretrainRecipe, str(saved), {}) == recipe


def test_there_is_a_recipe_for_every_backbone_and_data_set() -> None:
    assert {f"{data}-{backbone}" for data in ("k400", "k100", "ucf101") for backbone in OF_THE_PAPER} <= {
        *recipe_names(PretrainRecipe)
    }


def test_the_papers_recipe_has_the_papers_numbers() -> None:
    recipe = load_recipe(PretrainRecipe, "k400-resnet18", {})
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (200, 64, 0.1)
    assert (recipe.temperature, recipe.queue_size, recipe.margin, recipe.appearance_weight) == (0.07, 16384, 0.15, 1)
    assert (recipe.frames_per_clip, recipe.clip_size, recipe.speeds, recipe.fps) == (16, 112, (1, 2), 25)
    assert load_recipe(PretrainRecipe, "k400-s3dg", {}).clip_size == 224
    assert load_recipe(PretrainRecipe, "k400-s3dg-1000", {}).epochs == 1000
    assert load_recipe(PretrainRecipe, "ucf101-tsm18", {}).frames_per_clip == 8
    assert load_recipe(PretrainRecipe, "table1-sp-avid", {}).objectives == ("sp", "avid")


@pytest.mark.parametrize("name", ["k400-resnet18", "k100-c3d", "ucf101-s3dg", "table1-rsp", "release-resnet18"])
def test_a_larger_batch_takes_the_papers_rate_in_proportion(name: str) -> None:
    recipe = load_recipe(PretrainRecipe, name, {"batch_size": 512})
    assert (recipe.learning_rate, recipe.peak_rate) == (0.1, pytest.approx(0.8))
    assert load_recipe(PretrainRecipe, name, {}).peak_rate == 0.1
    assert cosine_schedule(recipe, 10).rate_at(0) == pytest.approx(0.8)
    assert optimiser_of(recipe, nn.Linear(2, 2).parameters()).param_groups[0]["lr"] == pytest.approx(0.8)
    as_it_is = load_recipe(PretrainRecipe, name, {"batch_size": 512, "reference_batch_size": 0})
    assert as_it_is.peak_rate == 0.1


def test_the_release_fills_what_is_not_given() -> None:
    released = load_recipe(PretrainRecipe, None, {"release": True})
    assert (released.rsp_temperature, released.margin, released.positives) == (0.07, 2.0, "both")
    assert released.reference_batch_size == 64
    assert (released.rsp_gradients, released.sgd_momentum, released.weight_decay) == ("anchor", 0.9, 1e-4)
    assert load_recipe(PretrainRecipe, None, {"release": True, "margin": 1.0}).margin == 1.0
    assert load_recipe(PretrainRecipe, None, {"release": "true"}) == released
    assert load_recipe(PretrainRecipe, "release-resnet18", {}) == released


@pytest.mark.parametrize("typed", ["True", "yes", "1"])
def test_release_is_never_on_without_the_releases_settings(typed: str) -> None:
    with pytest.raises(InvalidSetting, match="release: got"):
        load_recipe(PretrainRecipe, None, {"release": typed})


def test_settings_of_a_saved_run_are_not_replaced_by_the_releases(tmp_path: Path) -> None:
    saved = tmp_path / "recipe.toml"
    saved.write_text(to_toml(load_recipe(PretrainRecipe, "k400-resnet18", {})))
    assert load_recipe(PretrainRecipe, str(saved), {"release": "true"}).margin == 0.15


@pytest.mark.parametrize("overrides", [{"positives": "both"}, {"release": "true"}])
def test_vid_has_no_positive_of_another_speed(overrides: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match="set positives=random"):
        load_recipe(PretrainRecipe, "table1-rsp-vid", overrides)
    assert (
        load_recipe(PretrainRecipe, "table1-rsp-vid", overrides | {"positives": "random"}).appearance_objective == "vid"
    )


@pytest.mark.parametrize("backbone", OF_THE_PAPER)
@pytest.mark.parametrize("data", ["k400", "k100", "ucf101"])
def test_recipes_differ_only_in_what_their_backbone_needs(data: str, backbone: str) -> None:
    assert load_recipe(PretrainRecipe, f"{data}-{backbone}", {}) == PretrainRecipe(
        backbone=backbone,
        frames_per_clip=8 if backbone == "tsm18" else 16,
        clip_size=224 if backbone == "s3dg" else 112,
        reference_batch_size=64,
    )


@pytest.mark.parametrize(
    ("name", "objectives"),
    [
        ("table1-rsp", ("rsp",)),
        ("table1-avid", ("avid",)),
        ("table1-sp-avid", ("sp", "avid")),
        ("table1-rsp-vid", ("rsp", "vid")),
        ("table1-rsp-avid", ("rsp", "avid")),
    ],
)
def test_rows_of_table_1_differ_in_their_objectives_alone(name: str, objectives: tuple[str, ...]) -> None:
    assert load_recipe(PretrainRecipe, name, {"objectives": "avid"}) == load_recipe(PretrainRecipe, "table1-avid", {})
    assert load_recipe(PretrainRecipe, name, {}).objectives == objectives


def test_settings_are_typed_as_on_the_command_line(tmp_path: Path) -> None:
    recipe = load_recipe(
        PretrainRecipe,
        None,
        {"epochs": "3", "objectives": "rsp,avid", "speeds": "1,2,4", "fps": "0", "augmentation.flip": "false"}
        | {"backbone": "s3dg", "learning_rate": "5e-2"},
    )
    assert (recipe.epochs, recipe.objectives, recipe.speeds, recipe.fps) == (3, ("rsp", "avid"), (1, 2, 4), None)
    assert (recipe.augmentation.flip, recipe.backbone, recipe.learning_rate) == (False, "s3dg", 0.05)
    assert load_recipe(PretrainRecipe, None, {"objectives": "rsp"}).objectives == ("rsp",)
    (tmp_path / "recipe.toml").write_text(to_toml(recipe))
    assert load_recipe(PretrainRecipe, str(tmp_path / "recipe.toml"), {}) == recipe


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"epoch": "3"}, "unknown setting 'epoch'; have backbone"),
        ({"epochs": "0"}, "epochs: got 0"),
        ({"objectives": "avid,vid"}, "not both avid and vid"),
        ({"objectives": "motion"}, "objectives"),
        ({"objectives": "rsp,rsp"}, "each once"),
        ({"objectives": "[]"}, "at least one of rsp, avid, vid, sp"),
        ({"learning_rate": "inf"}, "learning_rate: got inf"),
        ({"learning_rate": "nan"}, "learning_rate: got nan"),
        ({"epochs": "3.5"}, "epochs: got 3.5"),
        ({"augmentation.flips": "true"}, "unknown setting 'augmentation.flips'; have min_crop_area"),
        ({"speeds": "2,2"}, "two different"),
        ({"augmentation.min_crop_area": "2"}, "augmentation.min_crop_area: got 2"),
        ({"epochs.x": "2"}, "epochs"),
    ],
)
def test_wrong_settings_are_named(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        load_recipe(PretrainRecipe, "k400-resnet18", overrides)


def test_an_unknown_recipe_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="k400-resnet18"):
        load_recipe(PretrainRecipe, "nothing", {})
    (tmp_path / "broken.toml").write_text("epochs = = 3")
    for name in ("broken.toml", "absent.toml"):
        with pytest.raises(InvalidSetting, match="cannot read the recipe"):
            load_recipe(PretrainRecipe, str(tmp_path / name), {})


def test_recipes_are_listed_and_printed() -> None:
    listed = CliRunner().invoke(app, ["recipes"])
    names = [*recipe_names(PretrainRecipe), *recipe_names(JointRecipe)]
    lines = listed.stdout.splitlines()
    assert [line.split()[0] for line in lines] == names
    assert len({line.index(" epochs") for line in lines}) == 1
    assert json.loads(CliRunner().invoke(app, ["recipes", "--json"]).stdout).keys() == {*names}
    printed = CliRunner().invoke(app, ["recipes", "k400-c3d"]).stdout
    assert printed == to_toml(load_recipe(PretrainRecipe, "k400-c3d", {}))
