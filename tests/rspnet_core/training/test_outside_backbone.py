"""Training a backbone from outside of the package: the user names it; a file alone cannot have it imported."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.errors import UnknownBackbone
from rspnet_core.weights.checkpoint import load_checkpoint

CODE = """
import torch
from rspnet_core.config import ClipGeometry

def strided():
    return torch.nn.Conv3d(3, 8, 3, stride=2, padding=1), ClipGeometry(num_clips=2, frames_per_clip=4, size=32)
"""
NAME = "strides:strided"
SETTINGS = ["epochs=1", "batch_size=4", "frames_per_clip=4", "clip_size=32"]


@pytest.fixture
def code(module_of: Callable[[str, str], Path]) -> Path:
    return module_of("strides", CODE)


def rspnet_train(*arguments: object) -> None:
    result = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", ["pretrain", "finetune"])
def test_it_trains_and_its_weights_load_where_it_is_named(code: Path, sample_videos: Path, command: str) -> None:
    out, settings = code / "run", [part for setting in SETTINGS for part in ("--set", setting)]
    rspnet_train(command, sample_videos, "--out", out, "--backbone", NAME, *settings)
    model, spec = load_checkpoint(out / "model.safetensors", named_by_user=NAME)
    assert (spec.backbone, spec.trained, model.channels) == (NAME, True, 8)
    shutil.copytree(out, code / "received")
    sys.modules.pop("strides")
    (code / "strides.py").write_text("raise SystemExit('the code of a run was imported')")
    for arguments in (("--out", code / "received", "--resume"), ("--out", code / "b", "--recipe", out / "recipe.toml")):
        with pytest.raises(UnknownBackbone, match=f"name it yourself: --backbone {NAME}"):
            rspnet_train(command, sample_videos, *arguments)
    assert "strides" not in sys.modules
