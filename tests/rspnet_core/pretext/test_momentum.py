"""The momentum encoder: it follows slowly, and a key is a function of its clip alone."""

import pytest
import torch

from rspnet_core.models import create_model
from rspnet_core.pretext.momentum import follow, measure_statistics, momentum_copy
from rspnet_core.training.batch_norm import shorten_statistics

pytestmark = pytest.mark.usefixtures("thin_networks")
CLIPS = torch.randn(6, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


def test_parameters_and_running_statistics_follow() -> None:
    queries = create_model("tsm18", seed=0)
    keys = momentum_copy(queries)
    before = {name: values.clone() for name, values in keys.state_dict().items()}
    queries(CLIPS)  # moves the running statistics
    with torch.no_grad():
        queries.motion_head.weight += 1
    follow(keys, queries, momentum=0.9)
    for name, values in keys.state_dict().items():
        if values.is_floating_point():
            expected = 0.9 * before[name] + 0.1 * queries.state_dict()[name]
            assert torch.allclose(values, expected, atol=1e-6), name
    assert not keys.backbone.bn1.running_mean.equal(before["backbone.bn1.running_mean"])


def test_a_key_does_not_depend_on_the_clips_beside_it() -> None:
    queries = create_model("tsm18", seed=0)
    measure_statistics(queries, CLIPS)
    keys = momentum_copy(queries)
    together, alone = keys(CLIPS).appearance[:1], keys(CLIPS[:1]).appearance
    assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.allclose(queries(CLIPS).appearance[:1], queries(CLIPS[:2]).appearance[:1], atol=1e-5)


def test_measured_statistics_are_those_of_the_batch() -> None:
    model = create_model("tsm18", seed=0)
    measure_statistics(model, CLIPS)
    seen = model.backbone.conv1(CLIPS.transpose(1, 2).flatten(0, 1))
    assert torch.allclose(model.backbone.bn1.running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-5)
    assert model.backbone.bn1.momentum == 0.1


def test_short_runs_get_short_statistics_and_long_ones_keep_theirs() -> None:
    model = create_model("s3dg", seed=0)
    for steps, expected in ((10**6, 1e-3), (5000, 0.02), (300, 0.1)):
        shorten_statistics(model, steps)
        assert model.backbone.feature.basicConv3d.bn.momentum == expected
