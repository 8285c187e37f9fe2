"""Any recipe comes back from its TOML; files of older runs are read as they were meant."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rspnet_core.errors import InvalidSetting
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.tables.steps import Step
from rspnet_core.training.recipe import TrainRecipe
from rspnet_core.training.recipe_file import load_recipe, to_toml

SHARED = {
    "from_weights": st.text(),
    "learning_rate": st.floats(1e-12, 10),
    "weight_decay": st.floats(0, 1),
    "fps": st.none() | st.floats(0.1, 240),
    "seed": st.integers(0, 2**31 - 1),
    "precision": st.sampled_from(["auto", "fp32", "bf16"]),
    "augmentation": st.fixed_dictionaries({"flip": st.booleans(), "jitter": st.floats(0, 0.9)}),
}
PRETRAIN = SHARED | {
    "objectives": st.sampled_from([["rsp"], ["sp", "vid"], ["rsp", "avid"]]),
    "speeds": st.lists(st.integers(1, 9), min_size=2, max_size=4, unique=True),
    "release": st.booleans(),
}
STEPS = {"schedule": st.just("steps"), "milestones": st.lists(st.floats(0.5, 100), min_size=1, max_size=3)}


def assert_comes_back(recipe: TrainRecipe) -> None:
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "recipe.toml"
        saved.write_text(to_toml(recipe), encoding="utf-8")
        assert load_recipe(type(recipe), str(saved), {}) == recipe


@given(st.fixed_dictionaries({"positives": st.just("random")}, optional=PRETRAIN))
def test_any_recipe_of_pretraining_comes_back(values: dict[str, object]) -> None:
    assert_comes_back(PretrainRecipe.model_validate(values))


@given(st.fixed_dictionaries(STEPS, optional=SHARED))
def test_any_recipe_of_finetuning_comes_back(values: dict[str, object]) -> None:
    assert_comes_back(FinetuneRecipe.model_validate(values))


OLDER = """backbone = "tsm18"
from_weights = "runs/x \\u00e9"
learning_rate = 0.02
fps = 0
objectives = ["rsp", "avid"]
speeds = [1, 2]

[augmentation]
blur_sigma = [0.1, 2.0]
"""


def test_a_file_of_an_older_run_is_read_as_it_was_meant(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(OLDER)
    recipe = load_recipe(PretrainRecipe, str(tmp_path / "recipe.toml"), {})
    assert (recipe.fps, recipe.from_weights, recipe.speeds) == (None, "runs/x é", (1, 2))
    Step(tmp_path, recipe).check()  # an ablation goes on with it, however its recipe is laid out
    with pytest.raises(InvalidSetting, match="begun with other settings"):
        Step(tmp_path, recipe.model_copy(update={"fps": 25})).check()


@pytest.mark.parametrize("name", ["clip.🎬.safetensors", 'a "quoted" \x7f name\n'])
def test_names_that_are_hard_to_write_come_back(name: str) -> None:
    assert_comes_back(PretrainRecipe(from_weights=name))
