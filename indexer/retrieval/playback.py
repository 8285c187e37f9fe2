"""Whether a library's encoder tells playback speeds, measured on the library's own videos.

Some are embedded as they are and at twice the speed, every second frame of a clip being left out:

    motion vectors at 2x less those at 1x, mean over videos --> a direction, and how far along it one doubling goes
    five parts of the recordings, each ranked by the direction of the other four --> share ranked rightly

Of 400 simulated encoders that know nothing of speed (40 recordings each) one in twenty passed.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.query_source import QuerySource
from indexer.retrieval.speed import Playback
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import DatasetError, InvalidSetting, MissingHead

MOST_VIDEOS = 200
LEAST_RECORDINGS = 10
_PARTS = 5

Vectors = NDArray[np.float32]


def measure_playback(
    library: QuerySource, *, most: int = MOST_VIDEOS, advance: Callable[[int, int], None] = lambda done, total: None
) -> Playback:
    """Embed up to ``most`` videos of the library, the same ones each time, at both speeds.

    Videos too short for a whole clip at twice the speed are not taken. ``advance`` hears how many of all are done.

    Raises:
        MissingHead: the encoder has no motion head.
        InvalidSetting: its clips stretch over whole videos, so that they have no speed.
        DatasetError: too few recordings that are long enough.
    """
    if "motion" not in library.layout.dims:
        raise MissingHead("playback: this library's encoder has no motion head, which speeds are told by")
    once = library.encoder.spec.geometry
    if once.span == "segments":
        raise InvalidSetting("playback: this encoder's clips stretch over whole videos; there is no speed to tell")
    twice = once.model_copy(update={"frame_step": 2 * once.frame_step})
    videos = [video for video in library.catalogue.videos(status="indexed") if _is_long_enough(video, twice)]
    order = np.random.default_rng(0).permutation(len(videos))[:most]
    videos = [videos[place] for place in sorted(order)]
    found = list(_embedded(library, videos, (once, twice), advance))
    recordings = [video.group or video.id for video, _ in found]
    if len(set(recordings)) < LEAST_RECORDINGS:
        raise DatasetError(
            f"playback: got {len(set(recordings))} recordings with a clip of twice the speed, needed are "
            f"{LEAST_RECORDINGS}; index more videos, or longer ones"
        )
    return _judged(library.record.fingerprint, np.stack([change for _, change in found]), recordings)


def _judged(fingerprint: str, changes: Vectors, recordings: Sequence[str]) -> Playback:
    """Of the changes float32 (n, D) that twice the speed makes in motion vectors."""
    names, of = np.unique(np.array(recordings), return_inverse=True)
    part_of = np.random.default_rng(0).permutation(len(names))[of] % _PARTS
    ranked = np.zeros(len(changes), bool)
    for part in range(_PARTS):
        held_out = part_of == part
        ranked[held_out] = changes[held_out] @ changes[~held_out].mean(0) > 0
    direction = changes.mean(0)
    doubling = float(np.linalg.norm(direction))
    direction = direction / max(doubling, np.finfo(np.float32).tiny)
    share = float(ranked.mean())
    return Playback(
        fingerprint, direction.tolist(), doubling, len(changes), len(names), share, _wilson(share, len(names))
    )


def _wilson(share: float, draws: int) -> tuple[float, float]:
    z = NormalDist().inv_cdf(0.975)
    centre = (share + z * z / (2 * draws)) / (1 + z * z / draws)
    reach = z * (share * (1 - share) / draws + z * z / (4 * draws * draws)) ** 0.5 / (1 + z * z / draws)
    return max(centre - reach, 0.0), min(centre + reach, 1.0)


def _is_long_enough(video: VideoRow, geometry: ClipGeometry) -> bool:
    """A shorter one is looped, and the jump at its end would tell the speed."""
    fps = geometry.fps or video.fps
    needed = (geometry.frames_per_clip - 1) * geometry.frame_step + 1
    return bool(fps and video.duration_seconds and video.duration_seconds * fps >= needed)


def _embedded(
    library: QuerySource,
    videos: Sequence[VideoRow],
    geometries: tuple[ClipGeometry, ClipGeometry],
    advance: Callable[[int, int], None],
) -> Iterator[tuple[VideoRow, Vectors]]:
    """Each video that can be read, with what twice the speed changes in its motion vector."""
    from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest

    motion = library.layout.slices()["motion"]
    with DecodePool(1) as pool:
        for done, video in enumerate(videos):
            advance(done, len(videos))
            requests = [DecodeRequest(library.path_of(video), geometry) for geometry in geometries]
            clips = {result.request.geometry: result.clips for result in pool.map(requests)}  # in any order
            read = [found.frames for geometry in geometries if (found := clips[geometry]) is not None]
            if len(read) == len(geometries):
                once, twice = library.encoder.encode(read)
                yield video, twice.video[motion] - once.video[motion]
    advance(len(videos), len(videos))
