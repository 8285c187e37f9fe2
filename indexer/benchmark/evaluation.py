"""The paper's retrieval protocol on a library: test videos query the training gallery (section 4.3)."""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.benchmark.baselines import histogram_vectors, random_baseline
from indexer.benchmark.centring import centred
from indexer.benchmark.copied import found_copies
from indexer.benchmark.document import to_json
from indexer.benchmark.keyed_rows import KeyedRows
from indexer.benchmark.protocol import score
from indexer.benchmark.ranking import LabelledVectors, QueryResult
from indexer.benchmark.report import write_html
from indexer.benchmark.scores import RetrievalScores
from indexer.benchmark.sides import Sides, sides_of
from indexer.benchmark.whitening import whitened
from indexer.catalogue.catalogue import LabelledVideo, id_of_key
from indexer.catalogue.vectors import ENERGY_DIMS, HISTOGRAM_BINS
from indexer.ingest.pooling import Layout
from indexer.retrieval.copies import known_copies, was_compared
from indexer.retrieval.filters import LeaveOut, no_such
from indexer.retrieval.library import Library
from indexer.retrieval.posters import read_poster
from indexer.retrieval.rarity import PairScores, drawn_rows
from indexer.retrieval.search import PartWeights, weigh
from rspnet_core.atomic import replace_text
from rspnet_core.config import ENERGY
from rspnet_core.errors import NothingMatches
from rspnet_core.video.reading.sandbox import DecodePool


@dataclass(frozen=True)
class Preparation:
    """What is done to vectors before they are ranked, by the gallery's own statistics and without labels."""

    centre: bool = False
    """Take the gallery's mean off, part by part."""
    whiten: int | None = None
    """Keep this many directions of each part, each scaled to the same spread; they are centred as well."""

    def facts(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"centred": self.centre or self.whiten is not None, "whitened": self.whiten}

    def __call__(self, rows: KeyedRows, layout: Layout, sides: Sides) -> tuple[KeyedRows, Layout]:
        """The vectors, their parts of unit length, and where these lie now. Raises InvalidSetting."""
        gallery = [video.key for video in sides.gallery]
        if self.whiten is not None:
            return whitened(rows, gallery, layout, self.whiten)
        return (centred(rows, gallery, layout) if self.centre else rows), layout


def evaluate(
    library: Library,
    *,
    fold: int = 1,
    weights: PartWeights | None = None,
    families: Mapping[str, str] | None = None,
    preparation: Preparation | None = None,
    leave_out: LeaveOut | None = None,
    command: str | None = None,
) -> tuple[dict[str, Any], RetrievalScores]:
    """Score the library's labelled videos.

    Args:
        library: an open library.
        fold: official split; a library without any is scored by leaving one out.
        weights: of backbone, motion and appearance; the default is the backbone, as in the paper.
        families: class to family, for scores within families; a recording is drawn with all its family's classes.
        preparation: of all vectors, the baselines' too.
        leave_out: every labelled video queries all others, whatever the split, but those of its own ``group`` (of its
            class) or ``recording`` (the same name in other classes too: one person, one ground).
        command: the line that makes this report again, printed in it.

    Returns:
        The report as JSON types, and the scores with every query's hits.

    Raises:
        DatasetError: no labelled videos.
        NothingMatches: no video is in this fold, or of a class of ``families``.
        InvalidSetting: more dimensions to whiten than the gallery tells.
    """
    prepare = preparation or Preparation()
    shown = {key for keys, _ in library.catalogue.all_vectors() for key in keys.tolist()}
    sides = library_sides(library, fold=fold, leave_out=leave_out, keys=shown)
    scores = rank_library(library, sides, weights=weights, families=families, preparation=prepare)

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
    }
    report = to_json(
        scores,
        random=chance,
        **_baselines(library, sides, prepare, families),
        copies=found_copies(scores.results, known_copies(library), by_footage=was_compared(library)),
        protocol=sides.protocol | facts | prepare.facts(),
        weights=(weights or PartWeights()).shares(library.layout),
        encoder=library.record.description,
        command=command,
    )
    return report, scores


def library_sides(library: Library, *, fold: int, leave_out: LeaveOut | None, keys: Container[int]) -> Sides:
    """Queries and gallery of those indexed videos whose key is in ``keys``.

    Raises NothingMatches for a fold that no list has, DatasetError as ``sides_of``.
    """
    _check_fold(fold, [each for each in range(1, 10) if library.catalogue.select_keys(fold=each).size])
    has_splits = library.catalogue.select_keys(split="train").size > 0
    videos = [video for video in library.catalogue.labels_and_splits(fold) if video.key in keys]
    return sides_of(videos, fold=fold if has_splits else None, leave_out=leave_out)


def rank_library(
    library: Library,
    sides: Sides,
    *,
    weights: PartWeights | None,
    families: Mapping[str, str] | None,
    preparation: Preparation,
) -> RetrievalScores:
    """Scores of one library's vectors on its ``sides``.

    Raises MissingHead, and NothingMatches and InvalidSetting as ``evaluate``.
    """
    _check_families(families, {video.label for video in sides.gallery if video.label is not None})
    shares = (weights or PartWeights()).shares(library.layout)
    rows, layout = preparation(KeyedRows.of(library.catalogue.all_vectors()), library.layout, sides)
    weighted = weigh(rows.at(video.key for video in sides.queries), shares, layout)
    scores = _score(sides, weighted, rows, families)
    return replace(scores, results=_with_percentiles(scores.results, rows, layout, shares))


def _with_percentiles(
    results: Iterable[QueryResult], rows: KeyedRows, layout: Layout, shares: Mapping[str, float]
) -> tuple[QueryResult, ...]:
    """The results, each hit with the share of pairs among ``rows`` that are less alike, as a search says it."""
    vectors = rows.vectors[drawn_rows(len(rows))]
    pairs = PairScores(vectors, [None] * len(vectors), layout)
    return tuple(
        replace(
            result,
            hits=tuple(replace(hit, percentile=pairs.percentile(hit.score, shares)) for hit in result.hits),
        )
        for result in results
    )


def _check_fold(fold: int, folds: list[int]) -> None:
    """Raises NothingMatches for an official split that lists no video; a library without any has its first."""
    if fold not in (folds or [1]):
        names = [str(each) for each in folds]
        raise NothingMatches(no_such("fold", str(fold), names, "no video here is in an official split"))


def _check_families(families: Mapping[str, str] | None, labels: set[str]) -> None:
    """Raises NothingMatches when no video is of a class that has a family."""
    if families and not labels & families.keys():
        raise NothingMatches("--families: " + no_such("class", min(families), labels, "no video here has one"))


def _baselines(
    library: Library, sides: Sides, prepare: Preparation, families: Mapping[str, str] | None
) -> dict[str, RetrievalScores | None]:
    """Scores of colours, and of motion energy where there is any, one after the other."""

    def scored(rows: KeyedRows | None, layout: Layout) -> RetrievalScores | None:
        if rows is None:
            return None
        prepared = prepare(rows, layout, sides)[0]
        return _score(sides, prepared.at(video.key for video in sides.queries), prepared, families)

    colours = ((keys, histogram_vectors(rows)) for keys, rows in library.catalogue.colour_histograms())
    return {
        "colour_histogram": scored(KeyedRows.of(colours), Layout({"colours": HISTOGRAM_BINS})),
        "motion_energy": scored(_energies(library, sides), Layout({"motion": ENERGY_DIMS})),
    }


def _energies(library: Library, sides: Sides) -> KeyedRows | None:
    """Motion energy of all videos; None where one has none, or where it is the library's own encoder."""
    if library.record.description["backbone"] == ENERGY:
        return None
    found = KeyedRows.of(library.catalogue.motion_energies())
    return found if found.holds(video.key for video in (*sides.queries, *sides.gallery)) else None


def _score(
    sides: Sides, queries: NDArray[np.float32], gallery: KeyedRows, families: Mapping[str, str] | None
) -> RetrievalScores:
    """``queries`` float32 (n, D) are the vectors of the side that queries, in its order."""

    def labelled(videos: list[LabelledVideo], vectors: NDArray[np.float32]) -> LabelledVectors:
        return LabelledVectors(
            ids=[id_of_key(video.key) for video in videos],
            labels=[video.label or "" for video in videos],
            groups=sides.recordings(videos, families or {}),
            vectors=vectors,
            left_out=sides.left_out(videos),
        )

    return score(
        labelled(sides.queries, queries),
        labelled(sides.gallery, gallery.at(video.key for video in sides.gallery)),
        families=families,
        exclude_self=sides.leave_one_out,
    )


def write_report(library: Library, report: dict[str, Any], scores: RetrievalScores, folder: Path) -> Path:
    """Write ``report.html``, one file with everything in it, and ``report.json`` into ``folder``; returns the page."""
    shown = {row.id: row for row in library.catalogue.videos(status="indexed")}
    names = dict(zip(shown, library.names_of([*shown.values()]), strict=True))
    with DecodePool(1) as pool:

        def poster(video_id: str) -> bytes | None:
            return read_poster(pool, library.path_of(shown[video_id]))

        page = write_html(report, scores, poster, folder, names=names)
    replace_text(folder / "report.json", json.dumps(report, indent=2) + "\n")
    return page
