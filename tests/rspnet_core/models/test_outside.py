from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from torch import nn

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import InvalidSetting, UnknownBackbone
from rspnet_core.models import Network, create_model, find_backbone, outside
from rspnet_core.models.outside import is_import_path

CLIPS = ClipGeometry(num_clips=2, frames_per_clip=4, size=32)


class Means(nn.Module):
    """Vectors of three numbers."""

    def forward(self, clips):
        assert clips.dtype == torch.float32
        return clips.mean(dim=(2, 3, 4))


class Answers(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, clips):
        return self.answer


def vectors():
    return Network(Means(), CLIPS, Normalisation(mean=(0, 0, 0), std=(1, 1, 1)), trained=False)


def pair():
    return Means(), CLIPS


NOT_A_FUNCTION = 3
HERE = __name__


def entry(name: str):
    return find_backbone(f"{HERE}:{name}", named_by_user=f"{HERE}:{name}")


def test_vectors_become_maps_of_one_cell_and_are_computed_in_float32() -> None:
    found = entry("vectors")
    backbone = found.create()
    clips = torch.rand(2, 3, 4, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        features = backbone(clips)
    assert (backbone.channels, features.shape, features.dtype) == (3, (2, 3, 1, 1, 1), torch.float32)
    torch.testing.assert_close(features[:, :, 0, 0, 0], clips.mean(dim=(2, 3, 4)))
    assert found.settings() == (CLIPS, Normalisation(mean=(0, 0, 0), std=(1, 1, 1)))


def test_a_tuple_of_module_and_clips_is_enough() -> None:
    assert entry("pair").settings() == (CLIPS, Normalisation())


def test_projection_heads_may_stand_on_it() -> None:
    out = create_model(f"{HERE}:pair", seed=1)(torch.rand(2, 3, 4, 32, 32))
    assert (out.motion.shape, out.features.shape) == ((2, 128), (2, 3, 1, 1, 1))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, "a factory returns"),
        (nn.Linear(3, 3), "a factory returns"),
        ((nn.Linear(3, 3), (16, 112)), r"got \(Linear, tuple\)"),
        ((nn.Linear(3, 3), CLIPS), "fails on clips float32"),
        ((Answers("text"), CLIPS), "made str of one clip"),
        ((Answers(torch.zeros(3)), CLIPS), r"made \(3,\) of one clip"),
        ((Answers(torch.zeros(2, 3)), CLIPS), r"made \(2, 3\) of one clip"),
    ],
)
def test_what_a_factory_makes_is_checked(made, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "wrong", lambda: made)
    with pytest.raises(InvalidSetting, match=message):
        entry("wrong").create()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_anywhere:factory", "set PYTHONPATH"),
        (f"{HERE}:absent", "absent"),
        (f"{HERE}:NOT_A_FUNCTION", "is int, not a function"),
    ],
)
def test_code_that_is_not_there_is_said(name: str, message: str) -> None:
    with pytest.raises(UnknownBackbone, match=message):
        find_backbone(name, named_by_user=name).create()


def test_code_runs_only_where_a_user_named_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    for named in (None, "resnet18", "trap:other", "trap"):
        with pytest.raises(UnknownBackbone, match="name it yourself: --backbone trap:spring"):
            find_backbone("trap:spring", named_by_user=named)
    with pytest.raises(SystemExit):
        find_backbone("trap:spring", named_by_user="trap:spring").create()


def test_installed_packages_offer_encoders_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = EntryPoint("means", f"{HERE}:vectors", outside.GROUP)
    monkeypatch.setattr(outside, "entry_points", lambda group: [offered] if group == outside.GROUP else [])
    assert find_backbone("means").create().channels == 3
    with pytest.raises(UnknownBackbone, match="energy, means: choose one of these"):
        find_backbone("resnet50")


@pytest.mark.parametrize(
    ("name", "is_path"),
    [
        ("package.module:factory", True), ("m:f", True), ("torchvision:r3d_18", False), ("resnet18", False),
        ("a b:c", False), (":f", False), ("m:", False), ("m:f.g", False), ("../m:f", False), ("m:f;import os", False),
    ],
)  # fmt: skip
def test_import_paths_are_told_from_other_names(name: str, is_path: bool) -> None:
    assert is_import_path(name) is is_path
