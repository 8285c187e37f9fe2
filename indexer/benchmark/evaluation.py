"""The paper's retrieval protocol on a library: test videos query the training gallery (section 4.3)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.benchmark.baselines import histogram_vectors, random_baseline
from indexer.benchmark.centring import KeyedRows, centred
from indexer.benchmark.document import to_json
from indexer.benchmark.protocol import score
from indexer.benchmark.ranking import LabelledVectors
from indexer.benchmark.report import write_html
from indexer.benchmark.scores import RetrievalScores
from indexer.catalogue.catalogue import LabelledVideo, id_of_key
from indexer.catalogue.queries import KeyedVectors
from indexer.catalogue.vectors import ENERGY_DIMS, HISTOGRAM_BINS
from indexer.ingest.pooling import Layout
from indexer.retrieval.library import Library
from indexer.retrieval.search import PartWeights, weigh
from rspnet_core.atomic import replace_text
from rspnet_core.errors import DatasetError, VideoError
from rspnet_core.models.registry import ENERGY
from rspnet_core.video.reading.sandbox import DecodePool

LeaveOut = Literal["group", "recording"]
POSTER_HEIGHT = 120
"""Pixels; a report shows up to 72 posters."""


@dataclass(frozen=True)
class Sides:
    """Videos that query and videos that are searched; the same ones where there is no split."""

    queries: list[LabelledVideo]
    gallery: list[LabelledVideo]
    protocol: dict[str, Any]
    leave_out: LeaveOut | None = None

    def left_out(self, videos: list[LabelledVideo]) -> list[str] | None:
        """What each video leaves out of its gallery; None is itself alone."""
        if self.leave_out is None:
            return None
        names = (video.group or id_of_key(video.key) for video in videos)
        return [name.rpartition("/")[2] if self.leave_out == "recording" else name for name in names]

    @property
    def leave_one_out(self) -> bool:
        """Without a split, each video queries all the others."""
        return self.queries is self.gallery


def evaluate(
    library: Library,
    *,
    fold: int = 1,
    weights: PartWeights | None = None,
    families: Mapping[str, str] | None = None,
    centre: bool = False,
    leave_out: LeaveOut | None = None,
    command: str | None = None,
) -> tuple[dict[str, Any], RetrievalScores]:
    """Score the library's labelled videos.

    Args:
        library: an open library.
        fold: official split, 1 to 3; a library without splits is scored by leaving one out.
        weights: of backbone, motion and appearance; the default is the backbone, as in the paper.
        families: class to family, for scores within families.
        centre: take the gallery's mean off all vectors, part by part, and give them unit length again, before ranking.
        leave_out: every labelled video queries all others, whatever the split, but those of its own ``group`` (of its
            class) or ``recording`` (the same name in other classes too: one person, one ground).
        command: the line that makes this report again, printed in it.

    Returns:
        The report as JSON types, and the scores with every query's hits.

    Raises:
        DatasetError: no labelled videos, or none in this fold.
    """
    shares = (weights or PartWeights()).shares(library.layout)
    vectors: KeyedRows = dict(_rows(library.catalogue.all_vectors()))
    histograms: KeyedRows = dict(
        _rows((keys, histogram_vectors(rows)) for keys, rows in library.catalogue.colour_histograms())
    )
    listed = library.catalogue.labels_and_splits(fold)
    videos = [video for video in listed if video.key in vectors and video.key in histograms]
    has_splits = library.catalogue.select_keys(split="train").size > 0
    sides = left_out_sides(videos, leave_out) if leave_out else choose_sides(videos, fold if has_splits else None)
    energies = _energies(library, sides)
    if centre:
        vectors, histograms, energies = _centred(library, sides, vectors, histograms, energies)
    weighted = {video.key: weigh(vectors[video.key], shares, library.layout) for video in sides.queries}
    scores = _score(sides, weighted, vectors, families)
    colours = _score(sides, histograms, histograms, families)
    motion = _score(sides, energies, energies, families) if energies else None
    chance = random_baseline(
        [video.label or "" for video in sides.queries],
        [video.label or "" for video in sides.gallery],
        families=families,
        exclude_self=sides.leave_one_out,
        left_out=sides.left_out(sides.gallery),
    )
    facts = {
        "layout": next((build.layout for build in library.catalogue.builds()), "unknown"),
        "pooling": library.record.description["pooling"],
        "similarity": "cosine",
        "centred": centre,
    }
    report = to_json(
        scores,
        random=chance,
        colour_histogram=colours,
        motion_energy=motion,
        protocol=sides.protocol | facts,
        weights=shares,
        encoder=library.record.description,
        command=command,
    )
    return report, scores


def _energies(library: Library, sides: Sides) -> KeyedRows:
    """Motion energy of all videos; empty where one has none, or where it is the library's own encoder."""
    if library.record.description["backbone"] == ENERGY:
        return {}
    found = dict(_rows(library.catalogue.motion_energies()))
    return found if all(video.key in found for video in (*sides.queries, *sides.gallery)) else {}


def _centred(library: Library, sides: Sides, *of_videos: KeyedRows) -> list[KeyedRows]:
    """Vectors, histograms and energies less the gallery's mean."""
    layouts = (library.layout, Layout({"colours": HISTOGRAM_BINS}), Layout({"motion": ENERGY_DIMS}))
    gallery = [video.key for video in sides.gallery]
    return [centred(rows, gallery, layout) if rows else {} for rows, layout in zip(of_videos, layouts, strict=True)]


def _score(sides: Sides, queries: KeyedRows, gallery: KeyedRows, families: Mapping[str, str] | None) -> RetrievalScores:
    return score(
        _labelled(sides.queries, queries, sides.left_out(sides.queries)),
        _labelled(sides.gallery, gallery, sides.left_out(sides.gallery)),
        families=families,
        exclude_self=sides.leave_one_out,
    )


def left_out_sides(videos: list[LabelledVideo], leave_out: LeaveOut) -> Sides:
    """Every labelled video queries all others but those of its group or recording. Raises DatasetError without any."""
    sides = choose_sides(videos, None)
    if not any(video.group for video in sides.queries):
        raise DatasetError(
            f"--leave-out {leave_out}: the names of these videos tell none, as v_Class_g01_c01 does; do without it"
        )
    told = {"gallery": f"all others but those of its own {leave_out}"}
    return Sides(sides.queries, sides.queries, sides.protocol | told, leave_out)


def choose_sides(videos: list[LabelledVideo], fold: int | None) -> Sides:
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


def _rows(batches: Iterable[KeyedVectors]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for keys, rows in batches:
        yield from zip(keys.tolist(), rows, strict=True)


def _labelled(videos: list[LabelledVideo], vectors: KeyedRows, left_out: list[str] | None) -> LabelledVectors:
    return LabelledVectors(
        ids=[id_of_key(video.key) for video in videos],
        labels=[video.label or "" for video in videos],
        groups=[video.group for video in videos],
        vectors=np.stack([vectors[video.key] for video in videos]),
        left_out=left_out,
    )


def write_report(library: Library, report: dict[str, Any], scores: RetrievalScores, folder: Path) -> Path:
    """Write ``report.html``, one file with everything in it, and ``report.json`` into ``folder``; returns the page."""
    shown = {row.id: row for row in library.catalogue.videos(status="indexed")}
    with DecodePool(1) as pool:

        def poster(video_id: str) -> bytes | None:
            try:
                picture = pool.poster(str(library.path_of(shown[video_id])), POSTER_HEIGHT)
            except VideoError:  # the file went away since it was indexed
                return None
            jpeg = BytesIO()
            Image.fromarray(picture).save(jpeg, "JPEG", quality=82)
            return jpeg.getvalue()

        page = write_html(report, scores, poster, folder, names={key: row.path for key, row in shown.items()})
    replace_text(folder / "report.json", json.dumps(report, indent=2) + "\n")
    return page
