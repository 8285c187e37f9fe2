"""Publishing files by generation: written aside, verified, renamed, and only then made current.

    generations/000001/             kept, because those below go on with its files
    generations/000006/             the one before, kept for readers that have just looked it up
    generations/000007/             index.faiss, manifest.json (size and SHA-256 of each file, of 000001's too)
    CURRENT                         "000007 <SHA-256 of its manifest>"

Killed anywhere, ``CURRENT`` names a whole generation: the old one or the new one. A reader opens the files of one
generation and keeps them, whatever is published or removed meanwhile. Files of earlier generations that a manifest
names (``segments.py`` says what for) are neither written nor read again when it is published.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from indexer.index.durable import Writers, durable_file, sync_folder
from indexer.index.manifest import Content, Manifest, Segment
from rspnet_core.errors import LibraryDamaged, LibraryError, LibraryNotFound

CURRENT = "CURRENT"
FOLDER = "generations"
MANIFEST = "manifest.json"


class _Current(NamedTuple):
    number: int
    manifest_sha256: str


class Generation:
    """One generation, its files open; close it, or use it as a context manager."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """Open all files of all segments.

        Raises FileNotFoundError when the generation was removed meanwhile, LibraryDamaged for a file of another size.
        """
        self.path = path
        self.manifest = manifest
        self.segments = manifest.segments
        self._files: dict[tuple[int, str], BufferedReader] = {}
        try:
            for segment in self.segments:
                for name in segment.files:
                    self._files[segment.generation, name] = self._open(segment, name)
        except BaseException:
            self.close()
            raise

    def _open(self, segment: Segment, name: str) -> BufferedReader:
        file = self._place(segment, name).open("rb")
        size_bytes, published = os.fstat(file.fileno()).st_size, segment.files[name].size_bytes
        if size_bytes != published:
            file.close()
            raise _damaged(self._place(segment, name), f"{size_bytes} bytes, published were {published}")
        return file

    def _place(self, segment: Segment, name: str) -> Path:
        own = segment.generation == self.number
        return (self.path if own else self.path.with_name(f"{segment.generation:06d}")) / name

    @property
    def number(self) -> int:
        """Generations count up from 1."""
        return self.manifest.generation

    def verified(self, name: str, segment: Segment | None = None) -> BufferedReader:
        """The file of a segment, or of the generation's own, at its start.

        Raises LibraryDamaged when its bytes are not those that were published.
        """
        of = segment or self.segments[-1]
        file = self._files[of.generation, name]
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() != of.files[name].sha256:
            raise _damaged(self._place(of, name), "its bytes are not those that were published")
        file.seek(0)
        return file

    def is_current(self) -> bool:
        """Whether no other generation was published since."""
        try:
            return _read_current(self.path.parent.parent).number == self.number
        except LibraryError:
            return True

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> "Generation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_current(folder: Path) -> Generation:
    """Open the current generation of an index folder.

    Raises LibraryNotFound when nothing was published, LibraryDamaged when ``CURRENT`` or the manifest is unsound.
    """
    try:
        try:
            return _open_named(folder)
        except FileNotFoundError:
            # Two newer generations may have been published since CURRENT was read: look once more.
            return _open_named(folder)
    except FileNotFoundError as error:
        raise _damaged(Path(error.filename), "the file is missing") from error
    except OSError as error:
        raise LibraryError(f"the index in {folder} cannot be read ({error.strerror}); check the permissions") from error


def _open_named(folder: Path) -> Generation:
    current = _read_current(folder)
    path = _path(folder, current.number)
    return Generation(path, _read_manifest(path, current))


def publish(folder: Path, writers: Writers, content: Content, older: Sequence[Segment] = ()) -> Manifest:
    """Publish files as the next generation, make it current, remove all but it and the one before.

    ``older``: segments of the current generation that the new one goes on with, oldest first. The caller holds the
    folder's ``WriterLock``. Raises LibraryError when the disk is full or the folder cannot be written; what was current
    stays so, and nothing half-written is left.
    """
    previous = _number_before(folder)
    numbers = [int(path.stem) for path in _generation_folders(folder)]
    number = max([previous, *numbers]) + 1
    final = _path(folder, number)
    aside = final.with_suffix(".tmp")
    try:
        aside.mkdir(parents=True)
        manifest, current = _write_files(aside, number, writers, content, tuple(older))
        with Generation(aside, manifest) as written:
            for name in manifest.files:
                written.verified(name)
        aside.rename(final)
        sync_folder(final.parent)
        _switch(folder, current)
    except OSError as error:
        raise LibraryError(
            f"cannot publish the index in {folder} ({error.strerror}); the one before stays in use: "
            "free some space or fix the folder and run again"
        ) from error
    finally:
        # On success that is what earlier publishes left; on failure, what this one began.
        # What cannot be removed now is removed by the next one.
        with suppress(OSError, LibraryError):
            _remove_all_but(folder, {previous, _number_before(folder)} - {0})
    return manifest


def verify(folder: Path) -> list[str]:
    """Read all bytes of the current generation; problems in words, an empty list when it is sound."""
    try:
        with open_current(folder) as generation:
            problems = []
            for segment in generation.segments:
                for name in segment.files:
                    try:
                        generation.verified(name, segment)
                    except LibraryDamaged as error:
                        problems.append(str(error))
            return problems
    except LibraryError as error:
        return [str(error)]


def _write_files(
    aside: Path, number: int, writers: Writers, content: Content, older: tuple[Segment, ...]
) -> tuple[Manifest, _Current]:
    facts = {}
    for name, write in writers.items():
        with durable_file(aside / name) as file:
            write(file)
        facts[name] = file.facts()
    manifest = Manifest(generation=number, created=datetime.now(UTC), content=content, files=facts, older=older)
    with durable_file(aside / MANIFEST) as file:
        file.write(manifest.model_dump_json(indent=2).encode())
    sync_folder(aside)
    return manifest, _Current(number, file.facts().sha256)


def _switch(folder: Path, current: _Current) -> None:
    """Make a generation current: the one step that readers see."""
    aside = folder / f"{CURRENT}.tmp"
    aside.unlink(missing_ok=True)
    with durable_file(aside) as file:
        file.write(f"{current.number:06d} {current.manifest_sha256}\n".encode())
    aside.replace(folder / CURRENT)
    sync_folder(folder)


def _remove_all_but(folder: Path, numbers: set[int]) -> None:
    """Remove what is half-written, and all generations but these and those whose files they go on with."""
    (folder / f"{CURRENT}.tmp").unlink(missing_ok=True)
    found = _generation_folders(folder)
    for path in found:
        if path.suffix:
            shutil.rmtree(path, ignore_errors=True)
    used = numbers.union(*(_goes_on_with(_path(folder, number)) for number in numbers))
    kept = {_path(folder, number) for number in used}
    for path in found:
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _goes_on_with(path: Path) -> set[int]:
    """Generations whose files the one at ``path`` names; none where its manifest is damaged or missing."""
    try:
        return {segment.generation for segment in _parse_manifest(path, (path / MANIFEST).read_bytes()).older}
    except (LibraryDamaged, FileNotFoundError):
        return set()


def _path(folder: Path, number: int) -> Path:
    return folder / FOLDER / f"{number:06d}"


def _generation_folders(folder: Path) -> list[Path]:
    """All generations, those left half-written too."""
    return [path for path in (folder / FOLDER).glob("[0-9]*") if path.stem.isdecimal()]


def _read_current(folder: Path) -> _Current:
    try:
        text = (folder / CURRENT).read_bytes()[:100].decode("ascii", "replace")
    except FileNotFoundError as error:
        raise LibraryNotFound(f"{folder} has no published index; run `rspnet-index build` or `repair`") from error
    number, _, digest = text.strip().partition(" ")
    if not (number.isdecimal() and len(digest) == 64):
        raise _damaged(folder / CURRENT, f"got {text[:80]!r}")
    return _Current(int(number), digest)


def _read_manifest(path: Path, current: _Current) -> Manifest:
    data = (path / MANIFEST).read_bytes()
    if hashlib.sha256(data).hexdigest() != current.manifest_sha256:
        raise _damaged(path / MANIFEST, "its bytes are not those that were published")
    return _parse_manifest(path, data)


def _parse_manifest(path: Path, data: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise _damaged(path / MANIFEST, f"{error.error_count()} invalid fields") from error


def _number_before(folder: Path) -> int:
    """The current generation's number, 0 when there is none that can be read.

    Raises LibraryError when there may be one, and the disk does not let it be read.
    """
    try:
        return _read_current(folder).number
    except (LibraryNotFound, LibraryDamaged):
        return 0
    except OSError as error:
        raise LibraryError(f"{folder / CURRENT} cannot be read ({error.strerror}); nothing was published") from error


def _damaged(path: Path, reason: str) -> LibraryDamaged:
    return LibraryDamaged(f"{path} is damaged ({reason}); `rspnet-index repair` makes it anew from the catalogue")
