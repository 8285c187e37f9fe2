"""Learning classes: one augmented clip of each video, through the encoder and a new layer, by cross-entropy."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.config import Normalisation
from rspnet_core.models import EncoderModel, class_logits
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.training.task import Outcome
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import draw
from rspnet_core.video.clips.loader import Sample


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Clips of B videos, augmented and on the device."""

    clips: Tensor
    """float32 (B, 3, T, H, W)."""
    labels: Tensor
    """int64 (B,): places of their classes."""


def make_batch(
    samples: list[Sample],
    *,
    recipe: FinetuneRecipe,
    labels: list[int],
    normalisation: Normalisation,
    device: torch.device,
) -> LabelledBatch:
    """Augment the clips of B samples on the device; ``labels`` are those of all videos of the loader."""
    frames = torch.from_numpy(np.concatenate([sample.clips.frames for sample in samples]))  # (B, T, S, S, 3)
    draws = [
        draw(np.random.default_rng(sample.draw_seed), recipe.augmentation, sample.clips.aspect) for sample in samples
    ]
    clips = augment.apply(frames.to(device, non_blocking=True), draws, recipe.clip_size, normalisation)
    return LabelledBatch(clips, torch.tensor([labels[sample.video_id] for sample in samples], device=device))


class Classifier(nn.Module):
    """Clips float32 (B, 3, T, H, W) -> logits float32 (B, classes), by an encoder that has a classifier."""

    def __init__(self, encoder: EncoderModel, *, dropout: float, freeze: bool) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(not freeze)
        self.new_layer.requires_grad_(True)
        for head in encoder.heads.values():
            head.requires_grad_(False)
        self._dropout = dropout
        self._freeze = freeze

    @property
    def new_layer(self) -> nn.Linear:
        """The layer of classes."""
        assert self.encoder.classifier is not None
        return self.encoder.classifier

    def train(self, mode: bool = True) -> "Classifier":
        """Training mode; a frozen encoder stays as it is in a test, statistics of its batch norms too."""
        super().train(mode)
        if self._freeze:
            self.encoder.eval()
        return self

    def forward(self, clips: Tensor) -> Tensor:
        """Logits; in training, of features some of which are dropped."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._freeze):
            features = self.encoder.features(clips)
        return class_logits(features, self.new_layer, dropout=self._dropout if self.training else 0.0)


class Classification:
    """``training.task.Task``: cross-entropy of a classifier."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    @property
    def trained(self) -> nn.Module:
        """The classifier, encoder and all."""
        return self._classifier

    @property
    def modules(self) -> dict[str, nn.Module]:
        """All that a step changes."""
        return {"classifier": self._classifier}

    def inputs(self, batch: LabelledBatch) -> Tensor:
        """The clips."""
        return batch.clips

    def start(self, batch: LabelledBatch) -> None:
        """Nothing to prepare."""

    def loss(self, batch: LabelledBatch, module: nn.Module) -> Outcome[None]:
        """Mean cross-entropy, and the part of clips whose best class is theirs."""
        logits = module(batch.clips).float()
        top1 = (logits.detach().argmax(dim=1) == batch.labels).float().mean()
        return Outcome(F.cross_entropy(logits, batch.labels), {"clip_top1": top1}, carried=None)

    def after_step(self, outcome: Outcome[None]) -> None:
        """Nothing follows the weights."""
