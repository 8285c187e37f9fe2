"""What a build has to do, decided by comparing a folder with the catalogue before any video is decoded.

A file whose size and time are known is skipped unread; one whose content hash is known is not embedded again,
whatever its name is now; one that failed is tried again; what left the folder leaves the library. A known content at
a new path is a file that moved where a video of it leaves meanwhile, else a copy.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from indexer.catalogue.catalogue import Catalogue, KnownVideo, VideoEntry
from rspnet_core.errors import DatasetError, VideoError
from rspnet_core.video.datasets.dataset import Dataset, VideoFile
from rspnet_core.video.reading.sniff import open_regular


@dataclass
class Plan:
    """The files of one data folder, sorted by what is to be done with them."""

    embed: list[VideoEntry] = field(default_factory=list)
    """New or changed files."""
    copy: list[tuple[str, VideoEntry]] = field(default_factory=list)
    """Ids whose vectors serve another path with the same content."""
    moved: list[tuple[str, VideoEntry]] = field(default_factory=list)
    """The same, where the file of that id is not there any more: what is known of it holds for the new path."""
    update: list[VideoEntry] = field(default_factory=list)
    """Unchanged content, changed label, split or time."""
    unchanged: int = 0
    refused: list[tuple[VideoEntry, str]] = field(default_factory=list)
    targets: dict[str, Path] = field(default_factory=dict)
    """Path -> the file to open, where that is another: the one that a link led to when it was checked."""
    gone: list[str] = field(default_factory=list)
    """Ids of videos whose files are not there any more."""


def content_hash(path: Path) -> str:
    """SHA-256 of a regular file, streamed. Raises VideoError when it is none or cannot be read."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(file: VideoFile, root: Path, root_id: int) -> tuple[VideoEntry, str | None]:
    """Describe a scanned file; the second value says why it cannot be read, if so."""
    problem, size_bytes, modified_ns = file.problem, 0, 0
    try:
        place = root / file.path if file.target is None else Path(file.target)
        status = place.stat(follow_symlinks=False)
        size_bytes, modified_ns = status.st_size, status.st_mtime_ns
    except OSError as error:
        problem = problem or f"cannot be read: {error.strerror}"
    entry = VideoEntry(
        path=file.path,
        root_id=root_id,
        size_bytes=size_bytes,
        modified_ns=modified_ns,
        label=file.label,
        group=file.group,
        splits=file.splits,
    )
    return entry, problem


def plan_build(
    dataset: Dataset, root: Path, root_id: int, catalogue: Catalogue, *, gone_roots: Iterable[int] = ()
) -> Plan:
    """Compare the folder with the catalogue; reads a file's content only where its size is already known.

    ``gone_roots``: ids of other data folders that are not there any more.
    Raises DatasetError when the catalogue has official splits of these videos and the lists are not found any more.
    """
    known = catalogue.known(root_id)
    _keep_splits(dataset, known)
    known_sizes = catalogue.indexed_sizes()
    plan, unknown = Plan(), list[VideoEntry]()
    for file in dataset.files:
        if file.target is not None:
            plan.targets[file.path] = Path(file.target)
        before = known.pop(file.path, None)
        entry, problem = _entry(file, root, root_id)
        if problem is not None:
            plan.refused.append((entry, problem))
        elif before is not None and before.status == "indexed" and _same_file(before, entry):
            if (before.label, before.group, before.splits) == (entry.label, entry.group, entry.splits):
                plan.unchanged += 1
            else:
                plan.update.append(entry.with_content(before.content_hash))
        else:
            _plan_content(plan, entry, before, known_sizes, root, unknown)
    hidden = tuple(dataset.unreadable)
    missed = known if dataset.only is None else known.keys() & dataset.only
    gone = [known[path] for path in missed if not path.startswith(hidden)]
    plan.gone = [video.id for video in gone]
    gone += [video for gone_root in gone_roots for video in catalogue.known(gone_root).values()]
    _plan_twins(plan, unknown, catalogue, gone)
    return plan


def _keep_splits(dataset: Dataset, known: Mapping[str, KnownVideo]) -> None:
    """A build without the lists that an earlier one had would forget all splits."""
    has_splits = any(file.splits for file in dataset.files)
    if not has_splits and any(known[file.path].splits for file in dataset.files if file.path in known):
        raise DatasetError(
            "this library has official splits, and their lists are not found now; name the lists' folder with "
            "--split-lists, as before, or choose another --index"
        )


def _same_file(before: KnownVideo, entry: VideoEntry) -> bool:
    return (before.size_bytes, before.modified_ns) == (entry.size_bytes, entry.modified_ns)


def _plan_content(
    plan: Plan,
    entry: VideoEntry,
    before: KnownVideo | None,
    known_sizes: set[int],
    root: Path,
    unknown: list[VideoEntry],
) -> None:
    """Place a new or touched file; into ``unknown`` where another one may have its content."""
    if entry.size_bytes not in known_sizes:
        plan.embed.append(entry)
        return
    try:
        entry = entry.with_content(content_hash(plan.targets.get(entry.path, root / entry.path)))
    except VideoError as error:
        plan.refused.append((entry, str(error)))
        return
    if before is not None and before.status == "indexed" and before.content_hash == entry.content_hash:
        plan.update.append(entry)
    else:
        unknown.append(entry)


def _plan_twins(plan: Plan, entries: list[VideoEntry], catalogue: Catalogue, gone: Iterable[KnownVideo]) -> None:
    """Place files whose content is known: the same content needs no second embedding."""
    left = defaultdict[str | None, list[str]](list)
    for video in gone:
        if video.status == "indexed":
            left[video.content_hash].append(video.id)
    twins = catalogue.find_contents(entry.content_hash for entry in entries if entry.content_hash)
    for entry in entries:
        twin = twins.get(entry.content_hash or "")
        if twin is not None and left[entry.content_hash]:
            plan.moved.append((left[entry.content_hash].pop(0), entry))
        elif twin is None or twin == entry.id:
            plan.embed.append(entry)
        else:
            plan.copy.append((twin, entry))
