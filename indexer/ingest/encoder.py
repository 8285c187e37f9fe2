"""The encoder as the index uses it: uint8 clips in, unit vectors and classes out, on a CPU or a GPU."""

import copy
import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from indexer.catalogue.prediction import Prediction
from indexer.ingest.pooling import Layout
from rspnet_core.config import EncoderSpec, Pooling
from rspnet_core.errors import DeviceUnavailable
from rspnet_core.inference.backends import BackendName, InferenceBackend, Runs
from rspnet_core.inference.int8 import Ranges
from rspnet_core.models.energy import Energy
from rspnet_core.models.two_head import EncoderModel, class_logits

FramesOf = Literal["original", "reduced"]
"""What clips are cut from: the videos, or the reduced copies of them that a build keeps."""
DECODERS: dict[FramesOf, str] = {
    "original": "exact frames, scaled then cut, 1",
    "reduced": "frames of 128 pixels, H.264, scaled then cut, 1",
}
"""How frames become clips; changed when the pixels of a clip change."""


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``; an absent device raises DeviceUnavailable."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in {"cpu", "cuda"}:
        raise DeviceUnavailable(f"unknown device {name!r}; allowed are auto, cpu, cuda and cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceUnavailable(
            f"device {name!r} is not here: this machine has {torch.cuda.device_count()} CUDA devices; use --device cpu"
        )
    return device


def choose_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes in it (GPUs, CPUs with AVX-512 BF16 or AMX), else float32.

    Only the backbone's forward pass runs in it; pooling, heads, classifier and vectors are float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


@dataclass(frozen=True, eq=False)
class Encoded:
    """What the encoder says about one video."""

    vectors: NDArray[np.float32]
    """float32 (num_clips, layout.size), each part of unit length."""
    video: NDArray[np.float32]
    """float32 (layout.size,), the same of the whole video."""
    motion_energy: NDArray[np.float32] | None
    """float32 (640,), unit length: the motion part of ``energy``, on these clips a baseline for any other encoder; None
    where clips have one frame."""
    probabilities: NDArray[np.float32] | None
    """float32 (num_classes,), sum 1: the mean over the clips; None where the encoder has no classifier."""


class ClipEncoder:
    """A model with its specification, copied to a device, ready to turn clips into vectors."""

    def __init__(
        self,
        model: EncoderModel,
        spec: EncoderSpec,
        *,
        pooling: Pooling = "max-mean",
        device: torch.device | None = None,
        backend: BackendName = "torch",
        frames: FramesOf = "original",
    ) -> None:
        self.spec = spec
        self.frames: FramesOf = frames
        self.pooling: Pooling = pooling
        self.device = device or choose_device()
        self.precision = torch.float32 if model.backbone.is_float32_only else choose_precision(self.device)
        self.layout = Layout(model.part_sizes)
        self._model = copy.deepcopy(model).eval().to(self.device)
        self.backend: BackendName = backend
        """What runs the backbone; prepared with the first clips, and not changed from then on."""
        self.ranges: Ranges | None = None
        """Of INT8, where the library has them; set before the first clips, as the backend."""
        self.streams = 1
        """How many threads call ``encode`` at once; set before the first clips, as the backend."""
        self._preparing = threading.Lock()
        self._energy = Energy()

    @property
    def runs(self) -> Runs:
        """What the backend has to run; before the first clips."""
        spec = self.spec
        return Runs(
            backbone=self._model.backbone,
            geometry=spec.geometry,
            normalisation=spec.normalisation,
            device=self.device,
            precision=self.precision,
            ranges=self.ranges,
            streams=self.streams,
        )

    def by(self, backend: BackendName, ranges: Ranges | None = None) -> "ClipEncoder":
        """The same encoder, run by another backend; before the first clips."""
        other = copy.copy(self)
        other._model = copy.deepcopy(self._model)
        other.backend = backend
        other.ranges = ranges
        other._preparing = threading.Lock()
        return other

    def prepare(self) -> None:
        """What the first call of ``encode`` would do first: make the network's inference form."""
        with self._preparing:
            self._feature_maps  # noqa: B018 (a cached property)

    @cached_property
    def _feature_maps(self) -> InferenceBackend:
        prepared = self.runs.by(self.backend)
        if self._model.backbone.is_traceable:
            self._model.backbone.to("meta")  # pools and finishes still; the weights are in the inference form
        return prepared

    @property
    def fingerprint(self) -> str:
        """16 hex digits over all that decides vectors and predictions; those of two fingerprints never mix."""
        deciding = {
            "backbone": self.spec.backbone,
            "weights_sha256": self.spec.sha256,
            "pooling": self.pooling,
            "geometry": self.spec.geometry.model_dump(mode="json"),
            "normalisation": self.spec.normalisation.model_dump(mode="json"),
            "decoder": DECODERS[self.frames],
        }
        if self.spec.classes:  # only then: fingerprints stay what they were before there were classes
            deciding["classes"] = self.spec.classes
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def description(self) -> dict[str, Any]:
        """What people read of an encoder in reports and search results, as JSON values.

        ``classes``, how many it tells apart, is there only where it has a classifier, ``frames`` where clips were cut
        from reduced copies.
        """
        classes = {"classes": len(self.spec.classes)} if self.spec.classes else {}
        frames = {} if self.frames == "original" else {"frames": self.frames}
        return (
            {
                "fingerprint": self.fingerprint,
                "backbone": self.spec.backbone,
                "weights": self.spec.source,
                "trained": self.spec.trained,
                "pooling": self.pooling,
                "geometry": self.spec.geometry.model_dump(mode="json"),
            }
            | frames
            | classes
        )

    @torch.inference_mode()
    def encode(self, videos: Sequence[NDArray[np.uint8]]) -> list[Encoded]:
        """Embed and classify the clips of several videos in one pass.

        Args:
            videos: one uint8 (num_clips, T, size, size, 3) RGB array a video.

        Returns:
            One a video, in the same order.
        """
        if not videos:
            return []
        clips = torch.from_numpy(np.concatenate(videos)).to(self.device, non_blocking=True)
        sizes = [len(video) for video in videos]
        self.prepare()
        features = torch.split(self._feature_maps(clips), sizes)
        return [self._encoded(*of_video) for of_video in zip(features, torch.split(clips, sizes), strict=True)]

    def _encoded(self, features: Tensor, clips: Tensor) -> Encoded:
        """What is said of a video, by its feature maps (num_clips, C, T', H', W') and clips (num_clips, T, H, W, 3)."""
        vectors, classifier = self._model.vectors(features, self.pooling), self._model.classifier
        probabilities = None
        if classifier is not None:
            probabilities = class_logits(features, classifier).softmax(dim=1).mean(dim=0).cpu().numpy()
        video = vectors.video.cpu().numpy()
        return Encoded(vectors.clips.cpu().numpy(), video, self._motion_energy(video, clips), probabilities)

    def _motion_energy(self, video: NDArray[np.float32], clips: Tensor) -> NDArray[np.float32] | None:
        if isinstance(self._model.backbone, Energy):
            return video[self.layout.slices()["motion"]]
        return self._energy.motion_vector(clips).cpu().numpy() if clips.shape[1] >= Energy.min_frames else None

    def prediction(self, encoded: Encoded) -> Prediction | None:
        """The most probable class of a video that this encoder encoded; None where it has no classifier."""
        if encoded.probabilities is None:
            return None
        return Prediction.most_likely(encoded.probabilities, self.spec.classes)
