"""Which files of a folder are videos: one pass, and nothing outside of the folder is opened."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rspnet_core.errors import DatasetError
from rspnet_core.text import printable
from rspnet_core.video.reading.containers import SOUND_SUFFIXES, SUFFIXES_OF_TEXTS_TOO, VIDEO_SUFFIXES
from rspnet_core.video.reading.sniff import looks_like_text, looks_like_video

# What systems put beside files: thumbnails, and copies of what was deleted.
_SYSTEM_FOLDERS = frozenset(
    {"$recycle.bin", "#recycle", "@eadir", "__macosx", "lost+found", "system volume information"}
)
LIST_SUFFIXES = frozenset({".txt", ".csv", ".json"})

LEADS_OUTSIDE = (
    "symbolic link leads outside of the data folder; build --follow-links FOLDER allows targets below FOLDER"
)
LEADS_NOWHERE = "symbolic link leads to no file"
NOT_REGULAR = "not a regular file"


@dataclass
class Tree:
    """What a pass over a data folder found; paths are relative to it, with ``/``, undecodable bytes as surrogates."""

    root: Path
    videos: dict[str, str | None] = field(default_factory=dict)
    """Path -> why it must not be opened, or None."""
    targets: dict[str, str] = field(default_factory=dict)
    """Path of a link that may be opened -> the file that it leads to, absolute."""
    texts: list[str] = field(default_factory=list)
    """Files that may be split lists, by suffix."""
    notes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """Folders, with a ``/`` at the end, whose videos may still be there."""


def walk(root: Path, follow_links: Sequence[Path] = ()) -> Tree:
    """Find videos (by suffix, else by content) and texts below ``root``.

    Hidden files and folders, and those that systems put beside files, are passed over. A file link counts when it ends
    inside ``root`` or below a folder of ``follow_links``; links to folders are not followed. A device, socket or FIFO
    is never opened: one with a video's suffix is listed with its problem.

    Raises:
        DatasetError: ``root`` is absent, no folder, or cannot be read.

    """
    try:
        real_root = os.path.realpath(root, strict=True)
        with os.scandir(real_root):
            pass
    except OSError as error:
        raise DatasetError(f"cannot read the data folder {root}: {error.strerror}; name a folder of videos") from None
    tree = Tree(Path(real_root))
    allowed = [real_root, *(_real_folder(folder) for folder in follow_links)]
    linked_folders = 0
    for path, entry in _entries(real_root, tree):
        suffix = _suffix(entry.name)
        is_candidate = suffix in VIDEO_SUFFIXES
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            problem = _problem_of_target(target, allowed)
            if os.path.isdir(entry.path):  # noqa: PTH112 - a Path for each of 300,000 files costs more than the pass
                linked_folders += 1
                continue
        else:
            problem = None if entry.is_file(follow_symlinks=False) else NOT_REGULAR
        if problem is None and not is_candidate:
            if suffix in LIST_SUFFIXES:
                tree.texts.append(path)
            is_candidate = suffix not in SOUND_SUFFIXES and looks_like_video(entry.path)
        elif problem is None and suffix in SUFFIXES_OF_TEXTS_TOO:
            is_candidate = not looks_like_text(entry.path)
        if is_candidate:
            tree.videos[path] = problem
            if problem is None and entry.is_symlink():
                tree.targets[path] = target
    if linked_folders:
        tree.notes.append(f"symbolic links to folders, not followed: {linked_folders}")
    tree.texts.sort()
    return tree


def walk_videos(root: Path, follow_links: Sequence[Path] = ()) -> Tree:
    """``walk`` of a folder that must hold videos; DatasetError where it holds none."""
    tree = walk(root, follow_links)
    if not tree.videos:
        reasons = "".join(f"; {note}" for note in tree.notes)
        raise DatasetError(f"no video files in {root}{reasons}; name a folder that holds videos")
    return tree


def _entries(root: str, tree: Tree) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Relative path and entry of everything that is no folder, without recursion: folders may be nested deeply."""
    pending = [("", root)]
    while pending:
        prefix, folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name.lower() not in _SYSTEM_FOLDERS:
                            pending.append((f"{prefix}{entry.name}/", entry.path))
                    else:
                        yield prefix + entry.name, entry
        except OSError as error:
            tree.unreadable.append(prefix)
            tree.notes.append(f"the folder {prefix!a} cannot be read: {error.strerror}")


def _real_folder(folder: Path) -> str:
    real = os.path.realpath(folder)
    if not os.path.isdir(real):  # noqa: PTH112 - as above
        raise DatasetError(
            f"--follow-links {printable(str(folder))}: no such folder; name one that links may lead into"
        )
    return real


def _problem_of_target(target: str, allowed: list[str]) -> str | None:
    if all(os.path.commonpath([target, folder]) != folder for folder in allowed):
        return LEADS_OUTSIDE
    try:
        return None if stat.S_ISREG(os.stat(target).st_mode) else NOT_REGULAR  # noqa: PTH116 - as above
    except OSError:
        return LEADS_NOWHERE


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - as above
