"""The layers of an encoder, timed one by one."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rspnet_core.bench.layer_speed import layer_seconds, main
from rspnet_core.inference.torch_backend import folded
from rspnet_core.models import create_backbone_model


@pytest.mark.parametrize("name", ["r2plus1d", "s3dg", "tsm18"])
def test_all_flops_are_counted_and_the_slowest_come_first(name: str) -> None:
    network = create_backbone_model(name, seed=0).eval().backbone
    clips = torch.randn(1, 3, 8, 32, 32)
    layers = layer_seconds(network, clips, 1)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        folded(network)(clips)
    assert sum(layer.flops for layer in layers) == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert [layer.seconds for layer in layers] == sorted((layer.seconds for layer in layers), reverse=True)
    assert all(layer.bytes_moved > 0 and layer.count > 0 for layer in layers)


def test_the_command_prints_a_line_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    main(["1", "32", "resnet18"])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("resnet18, ")
    assert any("x 3x3x3, 64 to 64 channels, of " in line and "GFLOP/s" in line for line in lines)
