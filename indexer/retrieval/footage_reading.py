"""How two videos are compared for the same footage: by small pictures, and by larger ones where these are alike."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.footage_file import sha256_of
from indexer.retrieval.query_source import QuerySource
from rspnet_core.config import WholeVideo
from rspnet_core.errors import VideoError
from rspnet_core.video.footage import LIKELY, Footage, match
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.same_footage import agreement

Details = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Larger pictures of two videos, as ``same_footage.agreement`` takes them."""


def frames_of(
    library: QuerySource, videos: Iterable[VideoRow], pool: DecodePool, wanted: WholeVideo
) -> "Future[tuple[NDArray[np.uint8], float]]":
    """The frames, to come, of the first of ``videos``, all of one content, whose file still has it.

    The future raises VideoError where there is none, or none that can be read.
    """
    problem = VideoError("changed since it was indexed; run the build again")
    for video in videos:
        path = library.path_of(video)
        try:
            if video.content_hash in (None, sha256_of(path)):
                return pool.frames(path, wanted)
        except VideoError as error:
            problem = error
    failed: Future[Any] = Future()
    failed.set_exception(problem)
    return failed


def compared(one: Footage, other: Footage, details: Callable[[], Details]) -> float | None:
    """How far two videos agree, -1 to 1: by their small pictures alone where these differ; 0 where the scenes do.

    None where too little moves to tell. Raises what ``details`` raises, which is asked only where it decides.
    """
    found = match(one, other)
    if found is None:
        return 0.0
    if not (one.has_motion or other.has_motion):
        return None
    return found.correlation if found.correlation < LIKELY else agreement(*details(), found)
