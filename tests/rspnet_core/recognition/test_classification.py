"""The classifier and its loss, beside slow readings of what they are."""

import math

import pytest
import torch

from rspnet_core.models import class_logits
from rspnet_core.recognition.classification import Classification, LabelledBatch
from rspnet_core.recognition.finetune import _new_optimiser, build_classifier
from rspnet_core.recognition.recipe import FinetuneRecipe
from tests.conftest import save_small_weights

SMALL = {"backbone": "tsm18", "frames_per_clip": 2, "clip_size": 32}


def recipe(**values: object) -> FinetuneRecipe:
    return FinetuneRecipe.model_validate(SMALL | values)


def batch(size: int = 3) -> LabelledBatch:
    clips = torch.randn(size, 3, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    return LabelledBatch(clips, torch.arange(size) % 2)


def test_the_loss_is_the_mean_cross_entropy() -> None:
    classifier, _ = build_classifier(recipe(dropout=0.0), 4, 10)
    classifier.eval()
    logits = classifier(batch().clips)
    outcome = Classification(classifier).loss(batch(), classifier)
    expected, right = 0.0, 0
    for row, label in zip(logits.tolist(), batch().labels.tolist(), strict=True):
        expected -= row[label] - math.log(sum(math.exp(value) for value in row))
        right += max(range(4), key=lambda place: row[place]) == label
    assert outcome.loss.item() == pytest.approx(expected / 3, rel=1e-5)
    assert float(outcome.figures["clip_top1"]) == pytest.approx(right / 3)


def test_logits_are_the_layer_of_the_mean_features() -> None:
    classifier, _ = build_classifier(recipe(), 4, 10)
    features = torch.randn(2, 512, 2, 1, 1)
    layer = classifier.new_layer
    slow = [
        [
            sum(float(weight) * float(value.mean()) for weight, value in zip(row, clip, strict=True)) + float(bias)
            for row, bias in zip(layer.weight.detach(), layer.bias.detach(), strict=True)
        ]
        for clip in features
    ]
    assert torch.allclose(class_logits(features, layer), torch.tensor(slow), atol=1e-4)


def test_dropout_acts_in_training_alone() -> None:
    classifier, _ = build_classifier(recipe(dropout=0.5), 4, 10)
    classifier.encoder.eval()
    one, other = (classifier(batch().clips) for _ in range(2))
    assert not one.equal(other)
    classifier.eval()
    one, other = (classifier(batch().clips) for _ in range(2))
    assert one.equal(other)


def test_a_frozen_encoder_changes_nothing_but_the_new_layer() -> None:
    classifier, _ = build_classifier(recipe(freeze=True), 4, 10)
    before = {name: values.clone() for name, values in classifier.state_dict().items()}
    optimiser = _new_optimiser(recipe(freeze=True, weight_decay=0.1), classifier)
    Classification(classifier).loss(batch(), classifier.train()).loss.backward()
    optimiser.step()
    changed = {name for name, values in classifier.state_dict().items() if not values.equal(before[name])}
    assert changed == {"encoder.classifier.weight", "encoder.classifier.bias"}


def test_the_new_layer_may_learn_at_a_rate_of_its_own() -> None:
    classifier, _ = build_classifier(recipe(), 4, 10)
    optimiser = _new_optimiser(recipe(classifier_rate_factor=10), classifier)
    factors = {group.get("rate_factor", 1.0): len(group["params"]) for group in optimiser.param_groups}
    assert factors == {10.0: 2, 1.0: len(list(classifier.parameters())) - 2}


def test_training_all_weights_leaves_the_projection_heads_behind(tmp_path) -> None:
    weights = tmp_path / "small.safetensors"
    save_small_weights(weights, "tsm18")
    tuned, _ = build_classifier(recipe(from_weights=str(weights)), 4, 10)
    frozen, _ = build_classifier(recipe(from_weights=str(weights), freeze=True), 4, 10)
    assert tuned.encoder.heads == {}
    assert sorted(frozen.encoder.heads) == ["appearance", "motion"]
