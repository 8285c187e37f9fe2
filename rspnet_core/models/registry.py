"""The one list of backbones: what stands behind the names that ``--backbone`` and files of weights use.

resnet18                    the paper's, in ``BACKBONES``; a new one is a file in this folder and an entry there
energy                      oriented motion energy, colours and edges: no network, nothing to train (``energy``)
torchvision:r3d_18          torchvision's supervised networks (``torchvision_encoders``)
my_encoder                  one that an installed package offers (entry point group ``rspnet.encoders``)
package.module:factory      one's own code (``outside``): imported only where a user named it, never because a
file of weights or a library did
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from rspnet_core.config import ENERGY, ClipGeometry, Normalisation
from rspnet_core.errors import UnknownBackbone
from rspnet_core.models import outside
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.c3d import C3D
from rspnet_core.models.energy import Energy
from rspnet_core.models.r2plus1d import R2Plus1D
from rspnet_core.models.resnet3d import ResNet3D18, SmallResNet3D18
from rspnet_core.models.s3dg import S3DG
from rspnet_core.models.torchvision_encoders import TORCHVISION, TorchvisionEntry
from rspnet_core.models.tsm import TSM18


class Entry(Protocol):
    """What is known of a backbone before there are weights."""

    takes_heads: ClassVar[bool]
    """Whether projection heads may stand on it."""
    brings_weights: ClassVar[bool]
    """Whether the name alone says which trained weights are meant, so that none need be named besides."""

    has_weights: ClassVar[bool]
    """Whether there is anything to train."""

    def create(self) -> Backbone:
        """A network; of random weights, or of those that it brings."""

    def settings(self) -> tuple[ClipGeometry, Normalisation]:
        """The clips that it is made for."""


@dataclass(frozen=True)
class PaperEntry:
    """A backbone of the paper."""

    network: type[Backbone]
    geometry: ClipGeometry
    arch: str | None = None
    """Its name in the authors' release; None where nothing was released."""

    takes_heads: ClassVar[bool] = True
    brings_weights: ClassVar[bool] = False
    has_weights: ClassVar[bool] = True

    def create(self) -> Backbone:
        """A network of random weights."""
        return self.network()

    def settings(self) -> tuple[ClipGeometry, Normalisation]:
        """Ten clips of 16 frames (``tsm18``: 8) at 112 pixels (``s3dg``: 224), normalised as ImageNet's images."""
        return self.geometry, Normalisation()


class EnergyEntry:
    """The encoder that needs no weights."""

    takes_heads: ClassVar[bool] = False
    brings_weights: ClassVar[bool] = True
    has_weights: ClassVar[bool] = False

    def create(self) -> Backbone:
        """Always the same."""
        return Energy()

    def settings(self) -> tuple[ClipGeometry, Normalisation]:
        """Ten clips of 16 frames at 80 pixels, their values in 0 to 1."""
        return ClipGeometry(frames_per_clip=16, size=80), Normalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


BACKBONES: dict[str, PaperEntry] = {
    "c3d": PaperEntry(C3D, ClipGeometry(frames_per_clip=16, size=112), arch="c3d"),
    "resnet18": PaperEntry(ResNet3D18, ClipGeometry(frames_per_clip=16, size=112), arch="resnet18"),
    "r2plus1d": PaperEntry(R2Plus1D, ClipGeometry(frames_per_clip=16, size=112), arch="r2plus1d-vcop"),
    "s3dg": PaperEntry(S3DG, ClipGeometry(frames_per_clip=16, size=224), arch="s3dg"),
    "tsm18": PaperEntry(TSM18, ClipGeometry(frames_per_clip=8, size=112)),
    "small18": PaperEntry(SmallResNet3D18, ClipGeometry(frames_per_clip=16, frame_step=2, size=96)),
}


def find_backbone(name: str, *, named_by_user: str | None = None) -> Entry:
    """The entry of a backbone's name.

    Args:
        name: as in the module's docstring.
        named_by_user: what a user typed. Where ``name`` is code outside of the package, it must be the same.

    Raises:
        UnknownBackbone: for any other name, or code that the user did not name.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    if name == ENERGY:
        return EnergyEntry()
    if name.startswith(TORCHVISION):
        return TorchvisionEntry(name.removeprefix(TORCHVISION))
    offered = outside.offered()
    if name in offered:
        return outside.OutsideEntry(name, offered[name].value)
    if outside.is_import_path(name):
        if name != named_by_user:
            raise UnknownBackbone(
                f"backbone {name} is code outside of rspnet, and a file alone may not have it run; "
                f"if you trust that code, name it yourself: --backbone {name}"
            )
        return outside.OutsideEntry(name, name)
    have = ", ".join((*BACKBONES, ENERGY, *sorted(offered)))
    raise UnknownBackbone(
        f"got {name!r}, have {have}: choose one of these, torchvision:NAME, or your own as package.module:factory"
    )
