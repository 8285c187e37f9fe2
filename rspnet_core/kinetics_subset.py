"""Kinetics-100: the classes of least disk size (section 4 of the paper, Datasets)."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import DatasetError, RspnetError
from rspnet_core.video.datasets import scan


@dataclass(frozen=True)
class Subset:
    """The chosen classes, smallest first, and the training videos in them."""

    classes: list[str]
    paths: list[str]
    """Relative to the data folder, sorted."""
    num_bytes: int


def smallest_classes(data: Path, num_classes: int) -> Subset:
    """Choose the classes whose training videos take the least disk space together; ties go by name.

    Where the data set has no official sides, all labelled videos count. Raises DatasetError for fewer classes.
    """
    files = [file for file in scan(data).files if file.label is not None and file.problem is None]
    train = [file for file in files if file.splits.get(1) == "train"] or [file for file in files if not file.splits]
    sizes: dict[str, int] = defaultdict(int)
    for file in train:
        assert file.label is not None
        sizes[file.label] += (data / file.path).stat().st_size
    if num_classes > len(sizes):
        raise DatasetError(
            f"{data} has training videos of {len(sizes)} classes, {num_classes} were asked for; lower --classes"
        )
    chosen = sorted(sizes, key=lambda label: (sizes[label], label))[:num_classes]
    paths = sorted(file.path for file in train if file.label in set(chosen))
    return Subset(chosen, paths, sum(sizes[label] for label in chosen))


def write_list(subset: Subset, out: Path) -> None:
    """One path a line, for ``rspnet-train pretrain --list``. Raises RspnetError if it cannot be written."""
    try:
        with replaced_when_complete(out) as temporary:
            temporary.write_text("".join(f"{path}\n" for path in subset.paths), "utf-8", errors="surrogateescape")
    except OSError as error:
        raise RspnetError(f"cannot write {out}: {error.strerror}; name another --out") from error
