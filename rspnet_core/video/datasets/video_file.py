"""One video of a data set, as a scan found it."""

from dataclasses import dataclass

from rspnet_core.video.datasets.split_lists import Side


@dataclass(frozen=True, slots=True)
class VideoFile:
    """One video of a data set."""

    path: str
    """Relative to the data folder, with ``/``; bytes that are not UTF-8 are surrogates, as `os.fsdecode` gives."""
    label: str | None
    """The class, printable text."""
    group: str | None
    """``class/source video``: clips of one group must not stand on both sides of a split."""
    splits: dict[int, Side]
    """Official fold (1 to 3) -> side; folds in which the video has no side are absent."""
    problem: str | None = None
    """Why the file must not be opened."""
    target: str | None = None
    """Of a link: the file that it led to when it was checked, absolute, which is what is to be opened."""
