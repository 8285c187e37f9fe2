"""A run that takes a second: a small 2D network, clips of two frames of 32 x 32 pixels, 32 sample videos."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from rspnet_core.pretrain_recipe import PretrainRecipe
from rspnet_core.training.state import read_state

SETTINGS = {
    "backbone": "tsm18",
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.02,
    "frames_per_clip": 2,
    "clip_size": 32,
    "queue_size": 20,
    "momentum": 0.9,
}
RECIPE = PretrainRecipe.model_validate(SETTINGS)


def weights(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model.safetensors")


def state(run: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    return read_state(run / "checkpoints" / "last.safetensors")


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.equal(other[name]), name
