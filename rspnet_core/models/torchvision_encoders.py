"""torchvision's supervised video networks as encoders: the feature map before their pooling, and no heads.

They are the "fully supervised" rows of the paper's tables. No weights are loaded here.
"""

from typing import Any, ClassVar

from torch import Tensor, nn

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import UnknownBackbone
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.two_head import BackboneModel


class _Stages(Backbone):
    """Parts of a torchvision network in a row, under their own names, so that its state dict fits."""

    stages: ClassVar[tuple[str, ...]]

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        for name in self.stages:
            self.add_module(name, net.get_submodule(name))

    def forward(self, clips: Tensor) -> Tensor:
        """Run the stages in order."""
        features = clips
        for stage in self.children():
            features = stage(features)
        return features


class VideoResNet18(_Stages):
    """``r3d_18``, ``r2plus1d_18`` (16x112x112 -> 512x2x7x7) or ``mc3_18`` (-> 512x16x7x7)."""

    stages = ("stem", "layer1", "layer2", "layer3", "layer4")
    channels = 512


class S3D(_Stages):
    """``s3d``: 16x224x224 -> 1024x2x7x7. (Its 14 frames at least are asked for by the classifier, left out here.)"""

    stages = ("features",)
    channels = 1024
    min_frames = 5
    min_size = 17


TORCHVISION = "torchvision:"
_NETWORKS: dict[str, type[_Stages]] = {
    "r3d_18": VideoResNet18,
    "r2plus1d_18": VideoResNet18,
    "mc3_18": VideoResNet18,
    "s3d": S3D,
}
TORCHVISION_ENCODERS: tuple[str, ...] = tuple(_NETWORKS)


class TorchvisionEntry:
    """One of TORCHVISION_ENCODERS, of fresh weights, under torchvision's parameter names less the classifier's."""

    takes_heads: ClassVar[bool] = False
    brings_weights: ClassVar[bool] = True
    has_weights: ClassVar[bool] = True

    def __init__(self, name: str) -> None:
        """Raises UnknownBackbone for a name that is not in TORCHVISION_ENCODERS."""
        _check_name(name)
        self._name = name

    def create(self) -> Backbone:
        """A network of random weights."""
        from torchvision.models import get_model  # takes seconds to import

        return _NETWORKS[self._name](get_model(self._name, weights=None))

    def settings(self) -> tuple[ClipGeometry, Normalisation]:
        """16 frames, with the side and the pixel statistics of the published weights."""
        return torchvision_settings(self._name)


def create_torchvision_model(name: str) -> BackboneModel:
    """An encoder of fresh weights and no heads. Raises UnknownBackbone for a name not in TORCHVISION_ENCODERS."""
    return BackboneModel(TorchvisionEntry(name).create())


def torchvision_weights(name: str) -> Any:
    """Torchvision's entry (a member of a ``WeightsEnum``) of the best published weights; downloads nothing.

    Raises UnknownBackbone for a name that is not in TORCHVISION_ENCODERS.
    """
    _check_name(name)
    from torchvision.models import get_model_weights

    return get_model_weights(name).DEFAULT


def torchvision_settings(name: str) -> tuple[ClipGeometry, Normalisation]:
    """The clips an encoder was trained on: 16 frames, the side and the pixel statistics of its published weights.

    Raises UnknownBackbone for a name that is not in TORCHVISION_ENCODERS.
    """
    preset = torchvision_weights(name).transforms()
    return (
        ClipGeometry(frames_per_clip=16, size=preset.crop_size[0]),
        Normalisation(mean=tuple(preset.mean), std=tuple(preset.std)),
    )


def _check_name(name: str) -> None:
    if name not in _NETWORKS:
        raise UnknownBackbone(f"got torchvision:{name}, have {', '.join(TORCHVISION_ENCODERS)}: choose one of these")
