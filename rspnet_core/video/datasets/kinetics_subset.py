"""Kinetics-100: the classes of least disk size (section 4 of the paper, Datasets)."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import DatasetError, RspnetError
from rspnet_core.text import printable
from rspnet_core.video.datasets.dataset import scan
from rspnet_core.video.datasets.list_text import name_and_rest, quoted, read_lines


@dataclass(frozen=True)
class Subset:
    """The chosen classes, smallest first, and the training videos in them."""

    classes: list[str]
    class_bytes: list[int]
    """Disk size of each class's training videos, in the order of ``classes``."""
    paths: list[str]
    """Relative to the data folder, sorted."""

    @property
    def num_bytes(self) -> int:
        """Disk size of all videos."""
        return sum(self.class_bytes)


def smallest_classes(data: Path, num_classes: int) -> Subset:
    """Choose the classes whose training videos take the least disk space together; ties go by name.

    Where the data set has no official sides at all, all labelled videos count.

    Raises:
        DatasetError: no videos, no labels, fewer classes than asked for, or a video that vanished.
    """
    files = [file for file in scan(data).files if file.label is not None and file.problem is None]
    if not files:
        raise DatasetError(f"the videos of {data} have no labels; name a folder of class folders, as Kinetics has them")
    has_sides = any(file.splits for file in files)
    train = [file for file in files if file.splits.get(1) == "train" or not has_sides]
    sizes: dict[str, int] = defaultdict(int)
    for file in train:
        assert file.label is not None
        try:
            sizes[file.label] += (data / file.path).stat().st_size
        except OSError as error:
            raise DatasetError(f"cannot read {printable(file.path)} in {data}: {error.strerror}") from None
    if num_classes > len(sizes):
        raise DatasetError(
            f"{data} has training videos of {len(sizes)} classes, {num_classes} were asked for; lower --classes"
        )
    chosen = sorted(sizes, key=lambda label: (sizes[label], label))[:num_classes]
    paths = sorted(file.path for file in train if file.label in set(chosen))
    return Subset(chosen, [sizes[label] for label in chosen], paths)


def write_list(subset: Subset, out: Path) -> None:
    """One path a line, for ``rspnet-train pretrain --list``.

    Raises:
        DatasetError: a path that does not come back from a list, such as one with a line break.
        RspnetError: the file cannot be written.
    """
    try:
        with replaced_when_complete(out) as temporary:
            text = "".join(f"{line_of(path)}\n" for path in subset.paths)
            temporary.write_text(text, "utf-8", errors="surrogateescape", newline="")
            listed = {name_and_rest(line.text)[0] for line in read_lines(temporary)}
            if lost := [path for path in subset.paths if path not in listed]:
                raise DatasetError(f"a list cannot name {printable(lost[0])!r}; rename that file")
    except OSError as error:
        raise RspnetError(f"cannot write {out}: {error.strerror}; name another --out") from error


def line_of(path: str) -> str:
    """A line of a list that names ``path``, in quotes where it would else be read as something more."""
    is_plain = path == path.strip() and path[0] not in "#\"'" and name_and_rest(path) == (path, "")
    return path if is_plain else quoted(path)
