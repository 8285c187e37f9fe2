"""The one list of what can run a network, which of it can run here, and which is fastest."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.inference.int8 import Ranges
from rspnet_core.inference.openvino_backend import OpenVinoBackend
from rspnet_core.inference.torch_backend import TorchBackend
from rspnet_core.models.backbone import Backbone

BackendName = Literal["torch", "openvino", "openvino-int8"]
BACKEND_NAMES: tuple[BackendName, ...] = get_args(BackendName)
INT8: BackendName = "openvino-int8"
"""The one that does not compute the same: used where it is asked for, never chosen."""
LEAST_COSINE = 0.9999
"""Of a backend's features to PyTorch's, for it to be chosen."""
_ROUNDS = 3
_CLIPS = 2
"""PyTorch convolves one clip alone in another way, on CPUs with AVX2 three times as slowly; a video has several."""
_GAIN = 1.1
"""How much faster than PyTorch a backend must be: less is noise, and not worth the seconds that it takes to prepare."""


class InferenceBackend(Protocol):
    """A backbone, ready to encode."""

    def __call__(self, clips: Tensor) -> Tensor:
        """Clips uint8 (B, T, H, W, 3), RGB -> feature map (B, C, T', H', W'), on the same device."""
        ...


@dataclass(frozen=True)
class Runs:
    """What has to run, and on what."""

    backbone: Backbone
    """In eval mode, float32."""
    geometry: ClipGeometry
    normalisation: Normalisation
    device: torch.device
    precision: torch.dtype
    ranges: Ranges | None = None
    """Of INT8 alone; None where it was not calibrated."""
    streams: int = 1
    """How many threads call it at once, each with its part of the cores."""

    def by(self, name: BackendName) -> InferenceBackend:
        """The backend of that name, prepared. Raises InvalidSetting where it cannot run this here."""
        self.check(name)
        return _PREPARE[name](self)

    def check(self, name: BackendName) -> None:
        """Raise InvalidSetting where that backend cannot run this here."""
        if reason := self.why_not(name):
            raise InvalidSetting(f"backend {name}: {reason}; or leave --backend out, or give --backend torch")

    def why_not(self, name: BackendName) -> str | None:
        """Why a backend cannot run this here, in words; None where it can."""
        if name == "torch":
            return None
        if self.device.type != "cpu":
            return f"it runs on CPUs alone, got --device {self.device}"
        if not self.backbone.is_traceable:
            return "it runs networks of rspnet and torchvision alone"
        if not find_spec("openvino"):
            return "it is not installed; `pip install 'rspnet[openvino]'`"
        return self._why_not_in_int8() if name == INT8 else None

    def _why_not_in_int8(self) -> str | None:
        # Without them products of 8 bits are added in 16, which overflow: another network would encode.
        if not torch.cpu._is_vnni_supported():
            return "this CPU has no instructions for it (AVX-512 VNNI)"
        return f"it was not calibrated; `rspnet-index build DATA --backend {INT8}`" if self.ranges is None else None

    @property
    def choices(self) -> tuple[BackendName, ...]:
        """The backends that compute the same and can run this here, PyTorch first."""
        return tuple(name for name in BACKEND_NAMES if name != INT8 and self.why_not(name) is None)


_PREPARE: Mapping[BackendName, Callable[[Runs], InferenceBackend]] = {
    "torch": lambda runs: TorchBackend(runs.backbone, runs.normalisation, device=runs.device, precision=runs.precision),
    "openvino": lambda runs: _openvino(runs, None),
    INT8: lambda runs: _openvino(runs, runs.ranges),
}


def _openvino(runs: Runs, ranges: Ranges | None) -> InferenceBackend:
    return OpenVinoBackend(
        runs.backbone,
        runs.geometry,
        runs.normalisation,
        precision=runs.precision,
        ranges=ranges,
        streams=runs.streams,
    )


@torch.inference_mode()
def clip_seconds(runs: Runs) -> dict[BackendName, float]:
    """Seconds a clip by each backend that can run it here, the least of runs in turns on noise, PyTorch first.

    One whose features have a cosine below LEAST_COSINE to PyTorch's is left out.
    """
    geometry = runs.geometry
    shape = _CLIPS, geometry.frames_per_clip, geometry.size, geometry.size, 3
    clips = torch.randint(256, shape, dtype=torch.uint8, device=runs.device)
    prepared = {name: runs.by(name) for name in runs.choices}
    features = {name: backend(clips).float().flatten() for name, backend in prepared.items()}
    seconds: dict[BackendName, list[float]] = {
        name: [] for name in prepared if cosine_similarity(features[name], features["torch"], dim=0) >= LEAST_COSINE
    }
    for _ in range(_ROUNDS):
        for name, taken in seconds.items():
            started = time.perf_counter()
            prepared[name](clips)
            taken.append(time.perf_counter() - started)
    return {name: min(taken) / _CLIPS for name, taken in seconds.items()}


def fastest(seconds: Mapping[BackendName, float]) -> BackendName:
    """The fastest of what :func:`clip_seconds` measured; PyTorch where no other is clearly faster."""
    best = min(seconds, key=lambda name: seconds[name])
    return best if seconds[best] * _GAIN < seconds["torch"] else "torch"
