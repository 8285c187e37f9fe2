"""Copies in a library: files of the same content, and videos of the same footage.

    content hash --> same content                                                        one group each
    video vectors --> 16 nearest of each content --footage.match, 16 x 16 pixels--> likely ones
                  --same_footage.agreement, 64 x 64 pixels--> same footage             joins groups

What was compared is kept (``footage_file.py``): the next time only new videos are read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import VideoRow, video_key
from indexer.retrieval.footage_file import FILE_NAME, FootageFile, Pair, content_of
from indexer.retrieval.footage_reading import compared, frames_of
from indexer.retrieval.library import Library
from rspnet_core.ahead import asked_ahead
from rspnet_core.config import WholeVideo
from rspnet_core.cores import usable_cores
from rspnet_core.errors import VideoError
from rspnet_core.progress import Progress, silent
from rspnet_core.video.footage import FRAMES, Footage, grey
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.same_footage import SAME_FOOTAGE, detail_frames

NEIGHBOURS = 16
"""Nearest videos that each one is compared with; of 5,680 pairs of copies all were among them."""
_VIDEOS_AHEAD = 8
_PAIRS_PER_COMMIT = 500
_FOOTAGE_HELD = 256
"""Videos whose prepared footage is in memory, 0.5 MB each."""
_DETAILS_HELD = 12
"""Videos whose larger pictures are in memory, up to 8 MB each."""

"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Copies:
    """What is a copy of what in a library."""

    groups: list[list[VideoRow]]
    """Two videos or more each, by root and path; the largest group first."""
    undecided: list[VideoRow]
    """Videos like others of which too little moves to tell copies from other takes; each stands alone."""
    unreadable: list[tuple[VideoRow, str]]
    """Files that could not be read again, with reasons; only their content's hash was compared."""


def find_copies(library: Library, progress: Progress = silent) -> Copies:
    """The copies among all videos of a library; reads those that were not compared before."""
    by_content = _by_content(library.catalogue.videos(status="indexed"))
    with FootageFile.open(library.place.folder) as file:
        file.forget_all_but(by_content.keys())
        unreadable = _read(library, by_content, file, progress)
        found = _compare(library, _candidates(library, by_content), by_content, file, progress)
    groups = _joined(by_content, found)
    untold = {content for pair, value in found.items() if value is None for content in pair}
    return Copies(groups, [video for content in untold for video in by_content[content]], unreadable)


def known_copies(library: Library) -> list[list[VideoRow]]:
    """Groups of copies as far as they are known already; reads no video.

    Files of the same content, and what ``find_copies`` found of the same footage when it last ran.
    """
    found: dict[Pair, float | None] = {}
    if was_compared(library):
        with FootageFile.open(library.place.folder) as file:
            found = file.agreed()
    contents = {content for pair in _same(found) for content in pair}
    return _joined(_by_content(library.catalogue.of_contents(contents)), found)


def was_compared(library: Library) -> bool:
    """Whether ``find_copies`` ever ran here; until then only files of the same content are known to be copies."""
    return (library.place.folder / FILE_NAME).exists()


def _by_content(videos: Iterable[VideoRow]) -> dict[str, list[VideoRow]]:
    by_content: dict[str, list[VideoRow]] = defaultdict(list)
    for video in videos:
        by_content[content_of(video)].append(video)
    return by_content


def _read(
    library: Library, by_content: Mapping[str, list[VideoRow]], file: FootageFile, progress: Progress
) -> list[tuple[VideoRow, str]]:
    """Keep the footage of all contents that have none yet; returns those that cannot be read, with reasons."""
    known, unreadable = file.known(), []
    missing = {content: videos for content, videos in by_content.items() if content not in known}
    if not missing:
        return []
    with DecodePool(min(usable_cores(), len(missing))) as pool:
        asked = asked_ahead(missing, lambda content: frames_of(library, missing[content], pool, FRAMES), _VIDEOS_AHEAD)
        for done, (content, future) in enumerate(asked, 1):
            try:
                pictures, _ = future.result()
                file.keep(content, Footage.of(pictures))
            except VideoError as error:
                unreadable += [(video, str(error)) for video in missing[content]]
            progress("reading", done, len(missing))
    return unreadable


def _candidates(library: Library, by_content: Mapping[str, list[VideoRow]]) -> list[Pair]:
    """Pairs of contents, sorted, of which one is among the nearest of the other."""
    content_of_key = {video_key(videos[0].id): content for content, videos in by_content.items()}
    keys = np.array(sorted(content_of_key), np.int64)
    pairs: set[Pair] = set()
    for batch, vectors in library.catalogue.all_vectors():
        chosen = np.isin(batch, keys)
        _, nearest = library.index.search(vectors[chosen], NEIGHBOURS + 1, allowed_keys=keys)
        for key, near in zip(batch[chosen].tolist(), nearest.tolist(), strict=True):
            own, others = content_of_key[key], [content_of_key[other] for other in near if other != key]
            pairs |= {(min(own, other), max(own, other)) for other in others}
    return sorted(pairs)


def _compare(
    library: Library, pairs: list[Pair], by_content: Mapping[str, list[VideoRow]], file: FootageFile, progress: Progress
) -> dict[Pair, float | None]:
    """Agreements of all pairs that are known; those of ``pairs`` that were not are looked at and kept."""
    known = file.agreed()
    missing = [pair for pair in pairs if pair not in known]
    new: list[tuple[Pair, float | None]] = []
    footage = lru_cache(maxsize=_FOOTAGE_HELD)(file.footage)
    with DecodePool(2) as pool:
        details = _Details(library, by_content, pool)
        for done, pair in enumerate(missing, 1):
            one, other = footage(pair[0]), footage(pair[1])
            if one is not None and other is not None:
                with suppress(VideoError):  # a file that went meanwhile: asked again the next time
                    new.append((pair, compared(one, other, partial(details.of, pair))))
            if len(new) >= _PAIRS_PER_COMMIT or done == len(missing):
                file.keep_agreed(new)
                known.update(new)
                new.clear()
            progress("comparing", done, len(missing))
    return known


class _Details:
    """Reads the larger pictures of contents; those of a few are held."""

    def __init__(self, library: Library, by_content: Mapping[str, list[VideoRow]], pool: DecodePool) -> None:
        self._library, self._by_content, self._pool = library, by_content, pool
        self._held = lru_cache(maxsize=_DETAILS_HELD)(self._read)

    def of(self, pair: Pair) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Of two contents, in their order. Raises VideoError."""
        one, other = (self._by_content[content][0] for content in pair)
        wanted = detail_frames(one.fps, other.fps)
        return self._held(pair[0], wanted), self._held(pair[1], wanted)

    def _read(self, content: str, wanted: WholeVideo) -> NDArray[np.uint8]:
        pictures, _ = frames_of(self._library, self._by_content[content], self._pool, wanted).result()
        return grey(pictures)


def _joined(by_content: Mapping[str, list[VideoRow]], agreed: Mapping[Pair, float | None]) -> list[list[VideoRow]]:
    """Groups of two videos or more, joined by content and by pairs of contents that agree like the same footage."""
    group = {content: [content] for content in by_content}
    for one, other in _same(agreed):
        if one in group and other in group and group[one] is not group[other]:
            group[one] += group[other]
            for content in group[other]:
                group[content] = group[one]
    distinct = {id(contents): contents for contents in group.values()}.values()
    groups = [
        sorted(
            (video for content in contents for video in by_content[content]), key=lambda row: (row.root_id, row.path)
        )
        for contents in distinct
    ]
    return sorted(
        (rows for rows in groups if len(rows) > 1), key=lambda rows: (-len(rows), rows[0].root_id, rows[0].path)
    )


def _same(agreed: Mapping[Pair, float | None]) -> list[Pair]:
    return [pair for pair, value in agreed.items() if value is not None and value >= SAME_FOOTAGE]


def on_both_sides(group: Iterable[VideoRow]) -> bool:
    """Whether copies stand on both sides of some official split: one trains what another tests."""
    sides: dict[int, set[bool]] = defaultdict(set)
    for video in group:
        for fold, split in video.splits.items():
            sides[fold].add(split == "train")
    return any(len(both) > 1 for both in sides.values())


def copies_document(library: Library, copies: Copies) -> dict[str, Any]:
    """What ``rspnet-index duplicates --json`` prints."""

    def entry(video: VideoRow) -> dict[str, str]:
        return {"id": video.id, "path": str(library.path_of(video))}

    return {
        "groups": [[entry(video) for video in group] for group in copies.groups],
        "leaked": [place for place, group in enumerate(copies.groups) if on_both_sides(group)],
        "undecided": [entry(video) for video in copies.undecided],
        "failed": [entry(video) | {"reason": reason} for video, reason in copies.unreadable],
    }
