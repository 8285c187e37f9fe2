"""What a library keeps of an encoder in INT8: the ranges that it computes with, and what they cost.

With the weights, which have a hash of their own, the ranges give the very same network again, so no network is kept and
no parser of one ever sees a library's files.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from indexer.index.durable import Digest
from indexer.index.place import Place, write_text
from rspnet_core.config import Settings
from rspnet_core.errors import LibraryDamaged
from rspnet_core.inference.backends import INT8

End = Annotated[float, Field(ge=-1e30, le=1e30)]
Share = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]


class PartCost(Settings):
    """How the vectors of a part in INT8 differ from those in float, over the measured videos."""

    recall: Share | None
    """Of a video's ten nearest among the others, the share that is the same; None where there are too few others."""
    least_cosine: Cosine
    median_cosine: Cosine


class Cost(Settings):
    """Measured on videos that were not calibrated on."""

    videos: int = Field(ge=1)
    parts: dict[str, PartCost]
    seconds: float = Field(gt=0)
    """Of one clip in INT8, the median."""
    seconds_in_float: float = Field(gt=0)
    """Of one clip by OpenVINO in the encoder's precision."""


class Calibration(Settings):
    """The contents of ``FINGERPRINT.int8.json``."""

    fingerprint: str
    ranges: dict[str, tuple[End, End]]
    """As :data:`rspnet_core.inference.int8.Ranges`."""
    clips: int = Field(ge=1)
    """How many it was calibrated on."""
    cost: Cost
    sha256: Digest | None = None
    """Over fingerprint and ranges; set when it is written."""

    def digest(self) -> str:
        """SHA-256 of what decides vectors."""
        deciding = {"fingerprint": self.fingerprint, "ranges": self.ranges}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()

    def lines(self) -> list[str]:
        """The cost, for people."""
        cost = self.cost
        recalls = "; ".join(f"{name} {_told(part)}" for name, part in cost.parts.items())
        return [
            f"{INT8}, calibrated on {self.clips} clips: a clip takes {cost.seconds:.4f} s, by openvino "
            f"{cost.seconds_in_float:.4f} s ({cost.seconds_in_float / cost.seconds:.1f} times as fast)",
            f"{INT8} on {cost.videos} other videos, recall@10 and cosine against openvino: {recalls}",
        ]


def keep_calibration(place: Place, calibration: Calibration) -> None:
    """Write it into the library; the caller holds its lock. Raises LibraryError."""
    sealed = calibration.model_copy(update={"sha256": calibration.digest()})
    write_text(place.int8_path(calibration.fingerprint), sealed.model_dump_json(indent=2) + "\n")


def kept_calibration(place: Place, fingerprint: str) -> Calibration | None:
    """That of an encoder; None where the library has none. Raises LibraryDamaged where it is not what was written."""
    path = place.int8_path(fingerprint)
    if not path.exists():
        return None
    try:
        kept = Calibration.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise _damaged(path, str(reason)) from error
    if kept.fingerprint != fingerprint or kept.digest() != kept.sha256:
        raise _damaged(path, "its SHA-256 is another")
    return kept


def _damaged(path: Path, reason: str) -> LibraryDamaged:
    return LibraryDamaged(
        f"{path} is damaged ({reason}); restore it, or delete it and calibrate anew: "
        f"`rspnet-index build DATA --backend {INT8}`"
    )


def _told(part: PartCost) -> str:
    recall = "(too few videos)" if part.recall is None else f"{part.recall:.3f}"
    return f"{recall}, {part.median_cosine:.4f} (least {part.least_cosine:.4f})"
