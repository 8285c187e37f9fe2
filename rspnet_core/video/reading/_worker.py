"""The decoder process: answers one request after another on its pipes, under limits that its parent set.

Started by ``child_process`` as ``python -m rspnet_core.video.reading._worker MEMORY_BYTES PARENT_PID``.
"""

import hashlib
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rspnet_core.config import ClipGeometry, SingleSampling, ViewSampling, WholeVideo
from rspnet_core.errors import NoVideoTrack, VideoError
from rspnet_core.video.reading import wire
from rspnet_core.video.reading.colour import colour_histogram
from rspnet_core.video.reading.decode import (
    RandomClips,
    read_clips,
    read_frames,
    read_poster,
    read_random_clip,
    read_views,
)
from rspnet_core.video.reading.limits import confine_this_process
from rspnet_core.video.reading.reduced import reduce_video
from rspnet_core.video.reading.sniff import open_regular
from rspnet_core.video.sampling import View

Answer = tuple[wire.Header, list[np.ndarray]]


def main() -> None:
    """Serve requests until the parent closes the pipe."""
    memory_bytes, parent_pid = int(sys.argv[1]), int(sys.argv[2])
    confine_this_process(parent_pid=parent_pid, memory_bytes=memory_bytes, file_bytes=0)  # a decoder writes no files
    requests, answers = sys.stdin.buffer, _take_stdout()
    while True:
        try:
            request, _ = wire.unpack(wire.reader_of(requests), max_payload_bytes=0)
        except EOFError:
            return
        header, arrays = _answer(request, memory_bytes)
        answers.write(wire.pack(header, sum(array.nbytes for array in arrays)))
        for array in arrays:
            answers.write(array.data)
        answers.flush()


def _answer(request: wire.Header, memory_bytes: int) -> Answer:
    try:
        return _ANSWERS[request["kind"]](request)
    except VideoError as error:
        return _refusal(error), []
    except MemoryError:
        return {"error": f"needs more than {memory_bytes / 2**30:.1f} GB of memory", "exhausted": True}, []
    except Exception as error:
        return {"error": f"cannot be decoded: {type(error).__name__}: {error}", "exhausted": True}, []


def _refusal(error: VideoError) -> wire.Header:
    return {"error": str(error), "no_video": isinstance(error, NoVideoTrack)}


def _check_real(request: wire.Header) -> None:
    """VideoError where a path that was checked leads elsewhere by now."""
    if request.get("is_real") and os.path.realpath(request["path"]) != request["path"]:
        raise VideoError("a symbolic link took its place after it was checked")


def _hash(request: wire.Header) -> Answer:
    _check_real(request)
    return {"content_hash": _sha256(request["path"])}, []


def _sha256(path: str) -> str:
    with open_regular(Path(path)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reduced(request: wire.Header) -> Answer:
    """A reduced copy, with the hash that the file has after it was read; nothing where there is none to make."""
    _check_real(request)
    made = reduce_video(Path(request["path"]))
    if made is None:
        return {}, []
    header = {"content_hash": _sha256(request["path"]), "info": asdict(made.info)}
    return header, [np.frombuffer(made.content, np.uint8)]


def _clips(request: wire.Header) -> Answer:
    _check_real(request)
    content_hash = _sha256(request["path"]) if request["hash_content"] else None
    header: wire.Header = {"content_hash": content_hash}
    try:
        clips = read_clips(
            request["path"],
            ClipGeometry(**request["geometry"]),
            start_seconds=request["start_seconds"],
            end_seconds=request["end_seconds"],
        )
    except VideoError as error:
        return header | _refusal(error), []
    _check_real(request)
    arrays = [clips.frames, clips.spans_seconds, colour_histogram(clips.frames)]
    return header | {"info": asdict(clips.info)}, [np.ascontiguousarray(array) for array in arrays]


def _random_clip(request: wire.Header) -> Answer:
    sampling = SingleSampling(**request["sampling"])
    return _as_answer(read_random_clip(request["path"], sampling, tuple(request["seed"])))


def _views(request: wire.Header) -> Answer:
    views = [View(*view) for view in request["views"]]
    return _as_answer(read_views(request["path"], ViewSampling(**request["sampling"]), views))


def _as_answer(clips: RandomClips) -> Answer:
    return {"aspect": clips.aspect, "advances": clips.advances}, [clips.frames]


def _frames(request: wire.Header) -> Answer:
    frames, aspect = read_frames(request["path"], WholeVideo(**request["wanted"]))
    return {"aspect": aspect}, [frames]


def _poster(request: wire.Header) -> Answer:
    picture = np.ascontiguousarray(read_poster(request["path"], request["height"]))
    return {}, [picture]


_ANSWERS = {
    "clips": _clips,
    "frames": _frames,
    "hash": _hash,
    "poster": _poster,
    "random_clip": _random_clip,
    "reduced": _reduced,
    "views": _views,
}


def _take_stdout() -> BinaryIO:
    """The pipe of answers for us alone: what a C library prints must not end up in the middle of one."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


if __name__ == "__main__":
    main()
