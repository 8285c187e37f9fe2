"""Which videos query and which are searched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.catalogue.records import LabelledVideo, id_of_key
from indexer.retrieval.filters import LeaveOut
from indexer.retrieval.own_group import recording_of
from rspnet_core.errors import DatasetError
from rspnet_core.reports.bootstrap import recordings


@dataclass(frozen=True)
class Sides:
    """Videos that query and videos that are searched; the same ones where there is no split."""

    queries: list[LabelledVideo]
    gallery: list[LabelledVideo]
    protocol: dict[str, Any]
    leave_out: LeaveOut | None = None

    @property
    def leave_one_out(self) -> bool:
        """Without a split, each video queries all the others."""
        return self.queries is self.gallery

    def left_out(self, videos: list[LabelledVideo]) -> list[str] | None:
        """What each video leaves out of its gallery; None is itself alone."""
        if self.leave_out is None:
            return None
        names = (video.group or id_of_key(video.key) for video in videos)
        return [recording_of(name) if self.leave_out == "recording" else name for name in names]

    def recordings(self, videos: list[LabelledVideo], families: Mapping[str, str]) -> list[str | None]:
        """What the bootstrap draws: each video's recording, None where it is not known."""
        if self.leave_out == "recording":
            return [None if video.group is None else recording_of(video.group) for video in videos]
        return recordings([video.group for video in videos], [video.label or "" for video in videos], families)


def sides_of(videos: list[LabelledVideo], *, fold: int | None, leave_out: LeaveOut | None) -> Sides:
    """By an official split, or (``fold`` None) each video against all others, less what it leaves out.

    Raises:
        DatasetError: no labelled videos, an empty side, or no group to leave out.
    """
    return _left_out_sides(videos, leave_out) if leave_out else _split_sides(videos, fold)


def _left_out_sides(videos: list[LabelledVideo], leave_out: LeaveOut) -> Sides:
    sides = _split_sides(videos, None)
    if not any(video.group for video in sides.queries):
        raise DatasetError(
            f"--leave-out {leave_out}: the names of these videos tell none, as v_Class_g01_c01 does; do without it"
        )
    told = {"gallery": f"all others but those of its own {leave_out}"}
    return Sides(sides.queries, sides.queries, sides.protocol | told, leave_out)


def _split_sides(videos: list[LabelledVideo], fold: int | None) -> Sides:
    """Queries and gallery: ``test`` and ``val`` query ``train``; with no ``fold``, every video queries all others."""
    labelled = [video for video in videos if video.label is not None]
    if len(labelled) < 2:
        raise DatasetError(
            f"a report needs labelled videos, this library has {len(labelled)}; put each class in a folder of its own"
        )
    if fold is None:
        protocol = {"fold": None, "queries": "every video", "gallery": "all others"}
        return Sides(labelled, labelled, protocol | {"not_listed": 0, "leaked_groups": []})
    queries = [video for video in labelled if video.split in {"test", "val"}]
    gallery = [video for video in labelled if video.split == "train"]
    if not (queries and gallery):
        raise DatasetError(
            f"fold {fold} has {len(queries)} test and {len(gallery)} training videos in this library and needs both; "
            "choose another --fold, or build with the lists of this fold beside the videos"
        )
    groups, in_gallery = ({video.group for video in side if video.group} for side in (queries, gallery))
    return Sides(
        queries,
        gallery,
        {
            "fold": fold,
            "queries": "test",
            "gallery": "train",
            "not_listed": len(videos) - len(queries) - len(gallery),
            "leaked_groups": sorted(groups & in_gallery),
        },
    )
