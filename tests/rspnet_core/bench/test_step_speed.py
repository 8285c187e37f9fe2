"""The yardstick of ``rspnet-train speed``: the same losses and weights as the real step; what is told about both."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from rspnet_core.bench.plain_step import PlainStep, apply_one_by_one
from rspnet_core.bench.step_speed import batch_of, compare_steps, noise_videos
from rspnet_core.cli.main import app
from rspnet_core.config import Normalisation
from rspnet_core.errors import DeviceUnavailable, InvalidSetting, UnknownBackbone
from rspnet_core.models import create_model
from rspnet_core.pretext.learners import build_objective, new_optimiser
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import Draw, Draws
from tests.rspnet_core.thin import thin

SETTINGS = {"backbone": "tsm18", "batch_size": 4, "frames_per_clip": 2, "clip_size": 32, "queue_size": 6}
RECIPE = PretrainRecipe.model_validate(SETTINGS | {"momentum": 0.5, "learning_rate": 0.01})
CPU = torch.device("cpu")


def test_both_kinds_of_step_train_the_same_network_over_several_steps() -> None:
    with thin():
        objective = build_objective(RECIPE, num_steps=3)
    batches = [batch_of(noise_videos(RECIPE, number, CPU), RECIPE) for number in range(3)]
    objective.start(batches[0])
    plain = PlainStep(copy.deepcopy(objective.query.model), RECIPE)
    optimisers = [new_optimiser(RECIPE)(model) for model in (objective.query.model, plain.model)]
    for batch in batches:
        outcome = objective.loss(batch, objective.query)
        ours, theirs = outcome.loss, plain.loss(batch)
        assert torch.allclose(ours, theirs, rtol=1e-4)
        for loss, optimiser in zip((ours, theirs), optimisers, strict=True):
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        objective.after_step(outcome)
        plain.update_keys()
    assert relative_difference(objective.query.model, plain.model) < 1e-3
    assert relative_difference(objective.keys, plain.keys) < 1e-3


def relative_difference(one: nn.Module, other: nn.Module) -> float:
    ours, theirs = (
        torch.cat([value.flatten() for value in model.state_dict().values() if value.is_floating_point()])
        for model in (one, other)
    )
    return float((ours - theirs).norm() / theirs.norm())


def test_a_video_is_no_negative_of_itself_in_either_kind() -> None:
    with thin():
        objective = build_objective(RECIPE, num_steps=2)
    batch = batch_of(noise_videos(RECIPE, 0, CPU), RECIPE)
    objective.start(batch)
    plain = PlainStep(copy.deepcopy(objective.query.model), RECIPE)
    for _ in range(2):  # the second time the queue holds keys of these very videos
        outcome = objective.loss(batch, objective.query)
        ours, theirs = outcome.loss, plain.loss(batch)
        objective.after_step(outcome)
        plain.update_keys()
    assert torch.allclose(ours, theirs, rtol=1e-4)


def test_clips_augmented_one_by_one_are_those_of_the_matrices() -> None:
    frames = torch.from_numpy(np.random.default_rng(0).integers(90, 160, (2, 2, 48, 48, 3), dtype=np.uint8))
    draws = [
        Draw(left=0.25, top=0.125, width=0.5, height=0.75, is_flipped=True, brightness=1.1, saturation=0.5),
        Draw(blur_sigma=7.5, brightness=0.9),
    ]
    fast = augment.apply(frames, draws, 24, Normalisation())
    plain = apply_one_by_one(frames, Draws.of(draws), 24, Normalisation())
    inner = (..., slice(2, -2), slice(2, -2))  # at its border a crop sees the pixels beyond, or not
    assert torch.allclose(fast[inner], plain[inner], atol=0.02)


@pytest.mark.parametrize("wrong", [{"objectives": ["rsp"]}, {"rsp_gradients": "anchor"}, {"positives": "both"}])
def test_other_recipes_than_algorithm_1_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidSetting, match="Algorithm 1"):
        compare_steps(PretrainRecipe.model_validate(SETTINGS | wrong), num_steps=1, device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_backbone_without_heads_is_told_before_anything_is_measured() -> None:
    with pytest.raises(UnknownBackbone, match="'energy', which takes no heads"):
        compare_steps(PretrainRecipe(backbone="energy"), 1)


def test_an_absent_device_is_told_before_anything_is_measured() -> None:
    with pytest.raises(DeviceUnavailable, match="CUDA"):
        compare_steps(RECIPE, num_steps=1, device="cuda")


@pytest.mark.slow
def test_the_command_tells_seconds_memory_and_differences_of_both() -> None:
    sets = [f"--set={name}={value}" for name, value in (SETTINGS | {"rsp_gradients": "all"}).items()]
    result = CliRunner().invoke(app, ["speed", *sets, "--steps", "2", "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {kind: len(seconds) for kind, seconds in told["seconds"].items()} == {"rspnet": 2, "plain": 2}
    pairs = zip(told["seconds"]["plain"], told["seconds"]["rspnet"], strict=True)
    assert told["speedup"] == pytest.approx(np.median([plain / ours for plain, ours in pairs]))
    assert min(told["peak_bytes"].values()) > 1e8
    assert told["loss_difference"] < 1e-5
    assert told["gradient_difference"] < 1e-4
    of_each = flops_of_convolutions(RECIPE, "tsm18")
    passes = 3 * 3 * sum(of_each) - 3 * of_each[0] + sum(of_each)  # c_i, c_j, c_k there and back, pixels without; a key
    assert told["flops"] == pytest.approx(passes, rel=0.01)


def flops_of_convolutions(recipe: PretrainRecipe, backbone: str) -> list[float]:
    """Of one clip of each video forward, layer by layer: two for each weight at each place of the output."""
    found: list[float] = []

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        found.append(2.0 * output.numel() * layer.weight[0].numel())

    model = create_model(backbone)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    model.features(torch.zeros(recipe.batch_size, 3, recipe.frames_per_clip, recipe.clip_size, recipe.clip_size))
    return found
