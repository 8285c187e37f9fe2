"""An encoder with all that must be known to use it, from anywhere and into the layout that model hubs expect."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import EncoderSpec
from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.models import EncoderModel
from rspnet_core.models.features import clip_features
from rspnet_core.weights.card import model_card
from rspnet_core.weights.checkpoint import save_for_hub
from rspnet_core.weights.files import CARD_NAME
from rspnet_core.weights.sources import load_encoder


@dataclass(frozen=True, eq=False)
class Encoder:
    """A network and its specification.

    >>> encoder = Encoder.from_pretrained("hf:user/name")
    >>> encoder.save_pretrained("folder")
    """

    model: EncoderModel
    """In eval mode."""
    spec: EncoderSpec
    """Its clips, normalisation, classes, and where its weights come from."""

    @classmethod
    def from_pretrained(cls, source: str | Path, *, backbone: str | None = None) -> Self:
        """An encoder on the CPU.

        Args:
            source: whatever ``--weights`` takes: a folder or file, ``hf:USER/NAME``, ``official:resnet18``,
                ``torchvision:r3d_18``.
            backbone: names the encoder's code, ``package.module:factory``, where it lies outside of rspnet; only then
                is it imported.

        Raises WeightsError or UsageError, as ``load_encoder``.
        """
        return cls(*load_encoder(str(source), backbone))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write ``model.safetensors``, ``config.json`` and a card, ``README.md``; returns the folder, made if missing.

        A card that is there is kept. Raises WeightsError when the disk refuses, or for NaN or infinite weights;
        InvalidSetting for an encoder that has none.
        """
        if self.spec.trained is None:
            raise InvalidSetting(
                f"got {self.spec.backbone}, which has no weights to save; name it where it is used: "
                f"--backbone {self.spec.backbone}"
            )
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            spec = save_for_hub(self.model, self.spec, folder)
            if not (folder / CARD_NAME).exists():
                (folder / CARD_NAME).write_text(model_card(spec), encoding="utf-8")
        except OSError as error:
            raise WeightsError(f"cannot write to {folder} ({error.strerror}); choose a folder to write to") from error
        return folder

    def features(self, clips: NDArray[np.uint8]) -> Tensor:
        """Clips uint8 (N, T, H, W, 3), RGB -> feature maps float32 (N, C, T', H', W').

        Raises InvalidSetting for clips that do not fit the backbone.
        """
        return clip_features(self.model, clips, self.spec.normalisation)
