"""A store that is being written: what is in it already, so that the same call goes on after a kill or Ctrl-C.

    STORE/unfinished.jsonl   what it is made of, then a line for each shard that is complete, with its videos
    STORE/.writing           locked while a process writes

Both are gone once the store has its index.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from rspnet_core.config import Settings, WholeVideo
from rspnet_core.errors import InvalidSetting
from rspnet_core.video.store.frame_store import INDEX, JOURNAL, Shard, StoredVideo

_LOCK = ".writing"


class Piece(Settings):
    """A shard, and the videos whose frames it holds."""

    shard: Shard
    videos: tuple[StoredVideo, ...]


class Unfinished:
    """The pieces of a store, in order; see ``unfinished``."""

    def __init__(self, journal: Path, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self._journal = journal

    @property
    def videos(self) -> dict[str, StoredVideo]:
        """Of all pieces, by path, in order."""
        return {video.path: video for piece in self.pieces for video in piece.videos}

    @property
    def num_frames(self) -> int:
        """Of all pieces."""
        return sum(piece.shard.frames for piece in self.pieces)

    def add(self, piece: Piece) -> None:
        """Remember a piece whose shard is complete. Raises OSError."""
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(f"{piece.model_dump_json()}\n")
        self.pieces.append(piece)


@contextmanager
def unfinished(out: Path, wanted: WholeVideo) -> Iterator[Unfinished]:
    """A new store, or one that was begun and stopped; what was noted of it goes once the store has its index.

    Raises:
        InvalidSetting: ``out`` holds other files, a complete store, or one of other settings; or it is being written.
        OSError: it cannot be written to.
    """
    journal, kind = out / JOURNAL, f"{wanted.model_dump_json()}\n"
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InvalidSetting(f"{out} is being written by another process; wait for it, or name a new folder") from None
    try:
        if not journal.exists() and any(path.name != _LOCK for path in out.iterdir()):
            raise InvalidSetting(f"{out} holds files already; name a new folder")
        begun = Unfinished(journal, _pieces(journal, kind))
        try:
            yield begun
        finally:
            if not begun.pieces or (out / INDEX).exists():
                journal.unlink()
    finally:
        (out / _LOCK).unlink(missing_ok=True)
        lock.release()


def _pieces(journal: Path, kind: str) -> list[Piece]:
    """What a journal says; a line that was not written to its end is taken off."""
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True) if journal.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < 2:  # nothing was kept yet
        whole = [kind]
    elif whole[0] != kind:
        raise InvalidSetting(
            f"{journal.parent} holds a store that was begun otherwise: {whole[0].strip()}, not {kind.strip()}; give "
            "the same settings, or name a new folder"
        )
    if whole != lines:
        journal.write_text("".join(whole), encoding="utf-8")
    try:
        return [Piece.model_validate_json(line) for line in whole[1:]]
    except ValidationError:
        raise InvalidSetting(f"{journal} is damaged; delete {journal.parent}, or name a new folder") from None
