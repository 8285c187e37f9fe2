r"""Which file a name in a list means, whatever folders and suffix the list's author had.

listed                                   is the file
Archery/a.avi                            Archery/a.avi, UCF-101/Archery/a.avi or Archery/a.mp4
UCF-101/Archery/a.avi                    Archery/a.avi
D:\sets\UCF-101\Archery\a.avi              Archery/a.avi
a                                        Archery/a.avi, where no other file is called a
"""

import difflib
import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

_FEW = 2000
"""Names that are all compared to find the nearest; of more, only those that begin or end alike."""


def normalised(key: str) -> str:
    """Unpacked on one system, é is one character; on another, two."""
    return key if key.isascii() else unicodedata.normalize("NFC", key)


def stem_of(name: str) -> str:
    """Give a file name without its last suffix: lists say ``.avi`` where converted files say ``.mp4``."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and suffix.isalnum() else name


class Names:
    """The files of a data folder, found by what lists call them."""

    def __init__(
        self, paths: Iterable[str], root: Path, *, is_unique: Callable[[str], bool] = lambda stem: False
    ) -> None:
        """``is_unique`` says of which stems the data set has one, wherever it lies."""
        self._paths = set(paths)
        self._root = str(root)
        self._is_unique = is_unique
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._paths):
            self._by_stem[_folded(stem_of(path.rpartition("/")[2]))].append(path)

    def find(self, name: str) -> list[str]:
        """The file that ``name`` means; several where it could be any of them, none where it is nothing here."""
        relative = name.removeprefix(self._root + "/") if self._root != "/" else name
        for exact in (name, relative, "/".join(_parts(relative))):
            if exact in self._paths:
                return [exact]
        parts = _parts(relative)
        if not parts:
            return []
        *folders, last = map(_folded, parts)
        found = self._by_stem.get(stem_of(last), []) or self._by_stem.get(last, [])
        ranked = [(self._likeness(folders, last, path), path) for path in found]
        best = max((rank for rank, _ in ranked if rank is not None), default=None)
        return [path for rank, path in ranked if rank is not None and rank == best]

    def _likeness(self, folders: list[str], last: str, path: str) -> tuple[int, bool] | None:
        """How many folders before the name agree, and whether the suffix does; None where it is another file."""
        *own, file_name = map(_folded, path.split("/"))
        shared = 0
        while shared < min(len(folders), len(own)) and folders[-1 - shared] == own[-1 - shared]:
            shared += 1
        may_be = shared == min(len(folders), len(own)) or shared > 0 or self._is_unique(stem_of(file_name))
        return (shared, file_name == last) if may_be else None

    def nearest(self, name: str) -> str | None:
        """The file whose name is most like ``name``, None where none is."""
        wanted = "/".join(_parts(name)[-2:])
        return nearest(wanted, sorted(self._paths))


def nearest(wanted: str, names: list[str]) -> str | None:
    """Of some names, sorted, that most like ``wanted``; None where none is much like it."""
    if len(names) > _FEW:
        tails = sorted(name[::-1] for name in names)
        around = bisect_left(names, wanted), bisect_left(tails, wanted[::-1])
        heads = names[max(0, around[0] - 200) : around[0] + 200]
        names = [*heads, *(tail[::-1] for tail in tails[max(0, around[1] - 200) : around[1] + 200])]
    cut = [name[:300] for name in names]
    found = difflib.get_close_matches(wanted[:300], cut, n=1, cutoff=0.6)
    return names[cut.index(found[0])] if found else None


def _parts(name: str) -> list[str]:
    """Folders and name, by either system's separators, without a drive and dots."""
    parts = re.sub(r"^(?:file://|[A-Za-z]:(?=[\\/]))", "", name).replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".", "..")]


def _folded(name: str) -> str:
    return normalised(name).casefold()
