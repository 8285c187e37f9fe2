"""Encoders from outside of the package, by a factory that a user names or that an installed package offers.

A factory takes nothing and returns a :class:`Network`, or the tuple (module, geometry)::

    def factory():
        return Network(MyModule().eval(), ClipGeometry(frames_per_clip=8, size=224))

The module maps float32 clips (B, 3, T, H, W), RGB in 0 to 1 less the mean and divided by the standard deviation, to
feature maps (B, C, T', H', W') or to vectors (B, D). It always gets float32, on whichever device it was moved to.
"""

import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import InvalidSetting, UnknownBackbone
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.torchvision_encoders import TORCHVISION

GROUP = "rspnet.encoders"
"""Entry points of installed packages: name -> ``package.module:factory``."""


class Network(NamedTuple):
    """What a factory returns."""

    module: nn.Module
    """Clips float32 (B, 3, T, H, W) -> float (B, C, T', H', W') or (B, D)."""
    geometry: ClipGeometry
    """The clips that it is made for."""
    normalisation: Normalisation = Normalisation()
    """Of the pixels; ImageNet's where nothing is said."""
    trained: bool = True
    """False for random weights: rspnet then says wherever it matters that answers are a baseline."""


class OutsideBackbone(Backbone):
    """A module of somebody else's, whose vectors become feature maps of one cell."""

    is_float32_only = True
    is_traceable = False  # a trace would freeze what the code decides by itself, such as a random number

    def __init__(self, network: Network, name: str) -> None:
        super().__init__()
        self.module = network.module
        self.trained = network.trained
        self.channels = self._channels(network, name)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, C, T', H', W'), one cell where the module gives vectors; always in float32."""
        with torch.autocast(clips.device.type, enabled=False):
            features: Tensor = self.module(clips.float())
        return features[..., None, None, None] if features.ndim == 2 else features

    def _channels(self, network: Network, name: str) -> int:
        """C, by sending one black clip through the module; InvalidSetting where it does not do what is asked of it."""
        frames, size = network.geometry.frames_per_clip, network.geometry.size
        clip = torch.zeros(1, 3, frames, size, size)
        was_training = network.module.training
        try:
            with torch.inference_mode():
                features = network.module.eval()(clip)
        except Exception as error:
            raise InvalidSetting(
                f"backbone {name} fails on clips float32 {tuple(clip.shape)} ({type(error).__name__}: {error}); "
                "a factory's module takes such clips, of the geometry that it returns"
            ) from error
        finally:
            network.module.train(was_training)
        got = f"{tuple(features.shape)}" if isinstance(features, Tensor) else type(features).__name__
        if not isinstance(features, Tensor) or features.ndim not in (2, 5) or len(features) != 1:
            raise InvalidSetting(
                f"backbone {name} made {got} of one clip; a factory's module gives feature maps (1, C, T', H', W') or "
                "vectors (1, D)"
            )
        return features.shape[1]


class OutsideEntry:
    """A backbone whose factory lies outside of the package."""

    takes_heads: ClassVar[bool] = True
    brings_weights: ClassVar[bool] = True
    has_weights: ClassVar[bool] = True

    def __init__(self, name: str, import_path: str) -> None:
        self._name = name
        self._import_path = import_path
        self._settings: tuple[ClipGeometry, Normalisation] | None = None

    def create(self) -> Backbone:
        """What the factory makes. Raises UnknownBackbone (no such code), InvalidSetting (not what is asked of it)."""
        network = self._call(self._factory())
        self._settings = network.geometry, network.normalisation
        return OutsideBackbone(network, self._name)

    def settings(self) -> tuple[ClipGeometry, Normalisation]:
        """The factory's; it is called for them where nothing was created yet."""
        if self._settings is None:
            self.create()
        assert self._settings is not None
        return self._settings

    def _factory(self) -> Callable[[], Any]:
        module, _, attribute = self._import_path.partition(":")
        try:
            factory: Callable[[], Any] = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UnknownBackbone(
                f"backbone {self._name}: {error}; the module must be importable: install it, or set PYTHONPATH to its "
                "folder"
            ) from error
        if not callable(factory):
            raise UnknownBackbone(f"backbone {self._name}: {attribute} is {type(factory).__name__}, not a function")
        return factory

    def _call(self, factory: Callable[[], Any]) -> Network:
        made = factory()
        try:
            network = Network(*made)
        except TypeError as error:
            raise InvalidSetting(f"backbone {self._name}: {_ASKED}; got {type(made).__name__}") from error
        parts: tuple[Any, ...] = network
        if not all(map(isinstance, parts, (nn.Module, ClipGeometry, Normalisation, bool))):
            kinds = ", ".join(type(part).__name__ for part in made)
            raise InvalidSetting(f"backbone {self._name}: {_ASKED}; got ({kinds})")
        return network


_ASKED = "a factory returns rspnet_core.models.Network, or (torch.nn.Module, ClipGeometry)"


def is_import_path(name: str) -> bool:
    """Whether a name has the form ``package.module:factory``."""
    return not name.startswith(TORCHVISION) and re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name) is not None


def offered() -> dict[str, EntryPoint]:
    """The encoders that installed packages offer, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}
