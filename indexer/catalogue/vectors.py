"""The vectors of one video: what is sound, and how they are packed into the catalogue.

Packed = little-endian float32 (vectors, histogram) and float64 (spans). A digest over all of them stands beside the
video vector, so that one damaged byte anywhere is found and blamed on its video.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rspnet_core.errors import LibraryDamaged

HISTOGRAM_BINS = 512
ENERGY_DIMS = 640
"""Numbers of a video's motion energy."""
UNIT_TOLERANCE = 1e-3
_FLOAT = np.dtype("<f4")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipVectors:
    """The clips of a video: ``vectors`` float32 (num_clips, D), ``spans_seconds`` float64 (num_clips, 2)."""

    vectors: NDArray[np.float32]
    spans_seconds: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoVectors:
    """All vectors of one video; every part of every vector has unit length.

    ``video`` float32 (D,); ``clips`` float32 (num_clips, D); ``spans_seconds`` float64 (num_clips, 2), start <= end;
    ``colour_histogram`` float32 (512,); ``motion_energy`` float32 (640,), unit length, None where a version without it
    has indexed the video.
    """

    video: NDArray[np.float32]
    clips: NDArray[np.float32]
    spans_seconds: NDArray[np.float64]
    colour_histogram: NDArray[np.float32]
    motion_energy: NDArray[np.float32] | None = None

    def digest(self) -> bytes:
        """BLAKE2b, 16 bytes, over all values as they are packed; those without motion energy have what they had."""
        state = hashlib.blake2b(digest_size=16)
        for values in (self.video, self.colour_histogram, self.clips):
            state.update(pack(values))
        state.update(np.ascontiguousarray(self.spans_seconds, dtype="<f8").tobytes())
        if self.motion_energy is not None:
            state.update(pack(self.motion_energy))
        return state.digest()


def pack(values: NDArray[np.float32]) -> bytes:
    """Float32 values of any shape as bytes."""
    return np.ascontiguousarray(values, dtype=_FLOAT).tobytes()


def unpack(blobs: list[bytes], dims: int) -> NDArray[np.float32]:
    """Equal blobs as float32 (len(blobs), dims); LibraryDamaged when one has another length."""
    if any(not isinstance(blob, bytes) or len(blob) != dims * _FLOAT.itemsize for blob in blobs):
        raise LibraryDamaged(
            f"a stored vector does not have {dims} numbers; run `rspnet-index verify` to see which video it belongs to"
        )
    return np.frombuffer(b"".join(blobs), dtype=_FLOAT).reshape(len(blobs), dims).astype(np.float32)


def vector_problem(vectors: VideoVectors, parts: Mapping[str, int]) -> str | None:
    """Say in words what is wrong with the vectors, or None when they are sound."""
    dims, num_clips = sum(parts.values()), len(vectors.clips)
    shapes: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
        ("video vector", vectors.video.shape, (dims,)),
        ("clip vectors", vectors.clips.shape, (num_clips, dims)),
        ("clip spans", vectors.spans_seconds.shape, (num_clips, 2)),
        ("colour histogram", vectors.colour_histogram.shape, (HISTOGRAM_BINS,)),
    ]
    if vectors.motion_energy is not None:
        shapes.append(("motion energy", vectors.motion_energy.shape, (ENERGY_DIMS,)))
    for name, got, expected in shapes:
        if got != expected:
            return f"{name} of shape {got}, expected {expected}"
    if num_clips == 0:
        return "no clip vectors"
    for name, values in (("colour histogram", vectors.colour_histogram), ("clip spans", vectors.spans_seconds)):
        if not np.isfinite(values).all():
            return f"{name} with values that are not finite"
    if (vectors.spans_seconds[:, 0] > vectors.spans_seconds[:, 1]).any():
        return "a clip that ends before it starts"
    if vectors.motion_energy is not None and (
        problem := _length_problem(vectors.motion_energy[None], {"motion energy": ENERGY_DIMS})
    ):
        return problem
    return _length_problem(np.vstack([vectors.video, vectors.clips]), parts)


def _length_problem(rows: NDArray[np.float32], parts: Mapping[str, int]) -> str | None:
    start = 0
    for name, length in parts.items():
        part = rows[:, start : start + length]
        norms = np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64))
        if not np.isfinite(norms).all():
            return f"{name} vector with values that are not finite"
        worst = float(norms[np.abs(norms - 1).argmax()])
        if abs(worst - 1) > UNIT_TOLERANCE:
            return f"{name} vector of length {worst:.4f}, expected 1"
        start += length
    return None
