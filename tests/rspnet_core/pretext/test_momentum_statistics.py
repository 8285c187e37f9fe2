"""What the momentum encoder keeps, restores and shares, beyond following."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rspnet_core.models import create_model
from rspnet_core.models.two_head import TwoHeadModel
from rspnet_core.pretext.momentum import follow, measure_statistics, momentum_copy
from rspnet_core.training.batch_norm import shorten_statistics

pytestmark = pytest.mark.usefixtures("thin_networks")


def clips(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 4, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model() -> TwoHeadModel:
    made = create_model("tsm18", seed=0)
    assert isinstance(made, TwoHeadModel)
    return made


def norms(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.999])
def test_following_is_the_weighted_mean_of_both(model: TwoHeadModel, momentum: float) -> None:
    queries, keys = create_model("tsm18", seed=1), momentum_copy(model)
    queries.train()(clips(3))
    before = {name: values.double().numpy() for name, values in copy.deepcopy(keys.state_dict()).items()}
    theirs = copy.deepcopy(queries.state_dict())
    follow(keys, queries, momentum)
    for name, values in keys.state_dict().items():
        if values.is_floating_point():
            expected = momentum * before[name] + (1 - momentum) * theirs[name].double().numpy()
            np.testing.assert_allclose(values.numpy(), expected, atol=1e-6, err_msg=name)
        assert theirs[name].equal(queries.state_dict()[name]), name


def test_following_without_momentum_is_copying(model: TwoHeadModel) -> None:
    queries, keys = create_model("tsm18", seed=1), momentum_copy(model)
    follow(keys, queries, 0.0)
    assert all(values.equal(queries.state_dict()[name]) for name, values in keys.state_dict().items() if values.ndim)


def test_many_steps_come_as_near_as_the_power_of_the_momentum(model: TwoHeadModel) -> None:
    queries, keys = create_model("tsm18", seed=1), momentum_copy(model)
    apart = keys.motion_head.weight - queries.motion_head.weight
    for _ in range(20):
        follow(keys, queries, 0.9)
    left = keys.motion_head.weight - queries.motion_head.weight
    assert torch.allclose(left, 0.9**20 * apart, atol=1e-6)


def test_a_copy_shares_no_memory_takes_no_gradients_and_leaves_the_model_in_training(model: TwoHeadModel) -> None:
    keys = momentum_copy(model.train())
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in keys.modules())
    assert not any(parameter.requires_grad for parameter in keys.parameters())
    ours, theirs = keys.state_dict(), model.state_dict()
    assert not {values.data_ptr() for values in ours.values()} & {values.data_ptr() for values in theirs.values()}


def test_a_key_is_a_function_of_its_clip_alone(model: TwoHeadModel) -> None:
    measure_statistics(model, clips(5))
    keys = momentum_copy(model)
    one = clips(1, seed=9)
    alone = keys(one)
    for seed in (1, 2):
        beside = keys(torch.cat([clips(3, seed), one, 5 * clips(2, seed)]))
        assert torch.allclose(beside.motion[3], alone.motion[0], atol=1e-5)
        assert torch.allclose(beside.appearance[3], alone.appearance[0], atol=1e-5)


def test_making_keys_leaves_the_running_statistics_alone(model: TwoHeadModel) -> None:
    keys = momentum_copy(model)
    before = copy.deepcopy(keys.state_dict())
    keys(clips(3))
    assert all(values.equal(before[name]) for name, values in keys.state_dict().items())


def test_measured_statistics_are_the_batchs_in_every_layer(model: TwoHeadModel) -> None:
    seen: dict[_BatchNorm, Tensor] = {}
    reference = copy.deepcopy(model).train()
    for norm in norms(reference):
        norm.register_forward_pre_hook(lambda module, inputs: seen.__setitem__(module, inputs[0].detach().clone()))
    reference(clips(4))
    measure_statistics(model, clips(4))
    for norm, of_reference in zip(norms(model), norms(reference), strict=True):
        values = seen[of_reference].double().transpose(0, 1).flatten(1).numpy()
        np.testing.assert_allclose(norm.running_mean.numpy(), values.mean(axis=1), atol=1e-4)
        np.testing.assert_allclose(norm.running_var.numpy(), values.var(axis=1, ddof=1), rtol=1e-3, atol=1e-5)


def test_statistics_measured_twice_are_those_of_the_second_batch(model: TwoHeadModel) -> None:
    again = copy.deepcopy(model)
    measure_statistics(again, clips(3, 1))
    measure_statistics(again, clips(3, 2))
    measure_statistics(model, clips(3, 2))
    for one, other in zip(norms(model), norms(again), strict=True):
        assert one.running_mean.equal(other.running_mean)
        assert one.running_var.equal(other.running_var)


@pytest.mark.parametrize("training", [True, False])
def test_measuring_restores_mode_and_momentum_and_changes_no_weight(model: TwoHeadModel, training: bool) -> None:
    model.train(training)
    norms(model)[0].momentum, norms(model)[1].momentum = 0.001, None
    kept = [norm.momentum for norm in norms(model)]
    weights = copy.deepcopy(dict(model.named_parameters()))
    measure_statistics(model, clips(3))
    assert [norm.momentum for norm in norms(model)] == kept
    assert all(module.training is training for module in model.modules())
    assert all(parameter.equal(weights[name]) for name, parameter in model.named_parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("num_steps", [0, 1, 100, 1000, 5000, 10**5, 10**7])
def test_statistics_span_at_most_a_hundredth_of_the_run_and_at_least_ten_steps(num_steps: int) -> None:
    own = [0.001, 0.01, 0.1, 0.3, None]
    model = nn.Sequential(*(nn.BatchNorm3d(2, momentum=momentum) for momentum in own), nn.BatchNorm1d(2, momentum=0.01))
    shorten_statistics(model, num_steps)
    for norm, before in zip(norms(model), [*own, 0.01], strict=True):
        if before is None:  # a plain mean over all steps stays one
            assert norm.momentum is None
        else:
            needed = min(0.1, 100 / max(num_steps, 1))
            assert norm.momentum == max(before, needed)
