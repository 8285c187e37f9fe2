"""Which backend encodes the videos of a library: the one asked for, the one that it keeps, or the fastest here."""

from dataclasses import replace

from indexer.index.place import Place
from indexer.ingest.calibrate import Calibrating, calibrate
from indexer.ingest.calibration import keep_calibration, kept_calibration
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.samples import Samples
from rspnet_core.inference.backends import BACKEND_NAMES, INT8, BackendName, clip_seconds, fastest

WORTH_MEASURING = 100
"""Videos of a build from which a measurement, about ten seconds, pays."""


def choose_backend(
    encoder: ClipEncoder,
    place: Place,
    asked: BackendName | None,
    samples: Samples,
    calibrating: Calibrating = lambda done, total: None,
) -> list[str]:
    """Set the backend of ``encoder`` for a build of the files of ``samples``; returns lines for people, if any.

    What is asked for, or measured, is kept with the library. Raises InvalidSetting where what is asked for cannot run,
    LibraryDamaged where what is kept of it is not what was written.
    """
    if asked is not None:
        return _use_asked(encoder, place, asked, samples, calibrating)
    if place.backend in BACKEND_NAMES:
        return use_kept_backend(encoder, place)
    if len(encoder.runs.choices) == 1 or len(samples.files) < WORTH_MEASURING:
        return []
    seconds = clip_seconds(encoder.runs)
    encoder.backend = fastest(seconds)
    place.keep_backend(encoder.backend)
    told = ", ".join(f"{name} {taken:.3f} s" for name, taken in seconds.items())
    return [f"a clip takes {told}: {encoder.backend} encodes this library; --backend chooses another"]


def use_kept_backend(encoder: ClipEncoder, place: Place) -> list[str]:
    """Set the backend that the library keeps; PyTorch where none is kept or it cannot run here, which a line says.

    Raises LibraryDamaged as :func:`choose_backend`.
    """
    kept: BackendName = next((name for name in BACKEND_NAMES if name == place.backend), "torch")
    calibration = kept_calibration(place, encoder.fingerprint) if kept == INT8 else None
    encoder.ranges = calibration.ranges if calibration else None
    if reason := encoder.runs.why_not(kept):
        return [f"PyTorch encodes, not the library's {kept}: {reason}"]
    encoder.backend = kept
    return []


def _use_asked(
    encoder: ClipEncoder, place: Place, asked: BackendName, samples: Samples, calibrating: Calibrating
) -> list[str]:
    notes = []
    if asked == INT8:
        replace(encoder.runs, ranges={}).check(INT8)  # before it is calibrated
        calibration = kept_calibration(place, encoder.fingerprint)
        if calibration is None:
            calibration = calibrate(encoder, samples, calibrating)
            keep_calibration(place, calibration)
        encoder.ranges = calibration.ranges
        notes = calibration.lines()
    encoder.runs.check(asked)
    encoder.backend = asked
    place.keep_backend(asked)
    return notes
