"""Which backend encodes the videos of a library: the one asked for, the one that it keeps, or the fastest here."""

from indexer.index.place import Place
from rspnet_core.inference.backends import BACKEND_NAMES, BackendName, Runs, clip_seconds, fastest

WORTH_MEASURING = 100
"""Videos of a build from which a measurement, about ten seconds, pays."""


def choose_backend(
    runs: Runs, place: Place, asked: BackendName | None, num_videos: int
) -> tuple[BackendName, list[str]]:
    """The backend for a build of ``num_videos`` files, and a line for people where there is something to say.

    What is asked for, or measured, is kept with the library. Raises InvalidSetting where what is asked for cannot run.
    """
    if asked is not None:
        runs.check(asked)
        place.keep_backend(asked)
        return asked, []
    if place.backend in BACKEND_NAMES:
        return kept_backend(runs, place)
    if len(runs.choices) == 1 or num_videos < WORTH_MEASURING:
        return "torch", []
    seconds = clip_seconds(runs)
    chosen = fastest(seconds)
    place.keep_backend(chosen)
    told = ", ".join(f"{name} {taken:.3f} s" for name, taken in seconds.items())
    return chosen, [f"a clip takes {told}: {chosen} encodes this library; --backend chooses another"]


def kept_backend(runs: Runs, place: Place) -> tuple[BackendName, list[str]]:
    """The backend that the library keeps; PyTorch where none is kept or it cannot run here, which a line says."""
    kept: BackendName = next((name for name in BACKEND_NAMES if name == place.backend), "torch")
    reason = runs.why_not(kept)
    return ("torch", [f"PyTorch encodes, not the library's {kept}: {reason}"]) if reason else (kept, [])
