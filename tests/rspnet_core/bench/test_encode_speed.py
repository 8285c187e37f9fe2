import pytest
import torch

from rspnet_core.bench.encode_speed import encode_seconds, forms_of, main
from rspnet_core.config import ClipGeometry
from rspnet_core.models import create_backbone_model
from tests import tiny


def test_every_form_is_timed_and_its_difference_told() -> None:
    clips = torch.ones(1, 2, 4, 4, 3, dtype=torch.uint8)
    seconds, difference = encode_seconds({"one": lambda x: 2 * x, "other": lambda x: 2.5 * x}, clips, rounds=2)
    assert list(seconds) == ["one", "other"]
    assert min(seconds.values()) > 0
    assert difference == pytest.approx(0.25)


def test_forms_of_a_backbone_make_the_same_features(capsys: pytest.CaptureFixture[str]) -> None:
    backbone = create_backbone_model(tiny.NAME, seed=0).eval().backbone
    forms = forms_of(backbone, ClipGeometry(frames_per_clip=8, size=32))
    assert {"eager", "torch"} <= forms.keys()
    main(["1", "32", tiny.NAME])
    assert float(capsys.readouterr().out.rpartition(" ")[2]) < 1e-5
