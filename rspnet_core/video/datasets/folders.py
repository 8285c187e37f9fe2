"""What folders alone say: below which one the sides or the classes begin, and which class and side a path has there.

    kinetics400/train/abseiling/a.mp4      sides begin in kinetics400/: side train, class abseiling
    kinetics400/replacement/b.mp4          beside the sides: no side, no class
    archive/run/a.mp4, archive/run/b.mp4   classes begin in archive/
    intro.mp4                              beside the classes: no class

A stray file or folder must not move where they begin: it is in the minority, or in no folder at all.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from rspnet_core.video.datasets.split_lists import SIDE_OF_WORD, Side

_GATHERING = re.compile(
    r"clips|data|datasets?|videos?|ucf(50|101)|hmdb51(org)?|kinetics([4-7]00)?|k[4-7]00|(20bn)?somethingsomething(v2)?"
)
"""Names, less all that is no letter or digit, of folders that hold class folders and are never a class themselves."""
_DOMINANT = 0.8
"""Part of the videos in folders that one must hold to be taken for the one that holds the classes, beside others."""

Folders = tuple[str, ...]


def gathers(name: str) -> bool:
    """Whether a folder of that name only gathers class folders: ``videos``, ``UCF-101``."""
    return _GATHERING.fullmatch(re.sub(r"[\W_]", "", name.lower())) is not None


def folders_of(path: str) -> Folders:
    """The folders of a path, outermost first."""
    return tuple(path.split("/")[:-1])


def first_class(folders: Folders) -> str | None:
    """The outermost of some folders that is more than a gathering one."""
    return next((name for name in folders if not gathers(name)), None)


@dataclass(frozen=True)
class Meaning:
    """Which class and side the folders of a path say."""

    label_of: Callable[[str], str | None]
    side_of: Callable[[str], Side | None] = lambda path: None


@dataclass
class _SidesHere:
    """Folders named after sides that stand side by side."""

    videos: Counter[Side] = field(default_factory=Counter)
    in_classes: int = 0
    """Videos that lie in a folder below their side's."""


def by_sides(paths: list[str]) -> Meaning | None:
    """Sides, where folders say them: two different ones side by side, or one that holds all or most of the videos."""
    places: dict[Folders, _SidesHere] = defaultdict(_SidesHere)
    for path in paths:
        above, side, below = _cut_at_side(folders_of(path))
        if side is not None:
            places[above].videos[side] += 1
            places[above].in_classes += bool(below)
    if not places:
        return None
    parents = Counter(above[:-1] for above, here in places.items() if above and not here.in_classes)
    parent, children = parents.most_common(1)[0] if parents else ((), 0)
    if children > 1:  # cat/train/a.mp4, dog/test/b.mp4
        return Meaning(
            lambda path: _class_above(folders_of(path), parent), lambda path: _side_in(path, parent, depth=1)
        )
    above, here = max(places.items(), key=lambda item: item[1].videos.total())
    total = here.videos.total()
    if len(here.videos) > 1 or total == len(paths) or 2 * here.in_classes > len(paths):
        return Meaning(lambda path: _class_below(folders_of(path), above), lambda path: _side_in(path, above, depth=0))
    return None


def _cut_at_side(folders: Folders) -> tuple[Folders, Side | None, Folders]:
    for place, name in enumerate(folders):
        if (side := SIDE_OF_WORD.get(name.lower())) is not None:
            return folders[:place], side, folders[place + 1 :]
    return folders, None, ()


def _side_in(path: str, above: Folders, *, depth: int) -> Side | None:
    found, side, _ = _cut_at_side(folders_of(path))
    return side if found[: len(above)] == above and len(found) == len(above) + depth else None


def _class_below(folders: Folders, above: Folders) -> str | None:
    found, side, below = _cut_at_side(folders)
    return None if side is None or found != above else first_class(below)


def _class_above(folders: Folders, parent: Folders) -> str | None:
    found, side, _ = _cut_at_side(folders)
    return found[-1] if side is not None and found[:-1] == parent and found else None


def by_classes(paths: list[str]) -> tuple[Meaning | None, list[str]]:
    """Classes, where folders say them, and remarks on what may be meant otherwise.

    One folder beside more loose files is no class.
    """
    above = _above_classes([folders_of(path) for path in paths])

    def label_of(path: str) -> str | None:
        folders = folders_of(path)
        if len(folders) <= len(above) or folders[: len(above)] != above or gathers(folders[len(above)]):
            return None
        return folders[len(above)]

    inner: dict[str, set[str]] = defaultdict(set)
    num_labelled = 0
    for path in paths:
        if (label := label_of(path)) is not None:
            num_labelled += 1
            inner[label].update(folders_of(path)[len(above) + 1 :][:1])
    if not inner or (len(inner) == 1 and 2 * num_labelled < len(paths)):
        return None, []
    largest = max(sorted(inner), key=lambda label: len(inner[label]))
    if len(inner[largest]) < max(2, len(inner)):
        return Meaning(label_of), []
    folder = "/".join((*above, largest))
    return Meaning(label_of), [
        f"the class {largest!a} holds {len(inner[largest])} folders: if those are the classes, name {folder!a} as DATA"
    ]


def _above_classes(places: list[Folders]) -> Folders:
    """The folders that lead to the class folders: the only folder, or the one that nearly all others lie in."""
    above: Folders = ()
    while True:
        here = [folders for folders in places if folders]
        if not here:
            return above
        counts = Counter(folders[0] for folders in here)
        name, count = max(sorted(counts.items()), key=lambda item: item[1])
        inner = {folders[1] for folders in here if folders[0] == name and len(folders) > 1}
        is_dominant = count >= _DOMINANT * len(here) and len(inner) > 1
        may_lead = bool(inner) and (len(counts) == 1 or is_dominant or gathers(name))
        if not may_lead and not (gathers(name) and len(counts) == 1):
            return above
        above = (*above, name)
        places = [folders[1:] for folders in here if folders[0] == name]
