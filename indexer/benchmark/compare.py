"""Two encoders on the same videos: how much better one retrieves, and whether that could be chance."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from indexer.benchmark.evaluation import Preparation, library_sides, rank_library
from indexer.benchmark.protocol import values_of
from indexer.benchmark.ranking import QueryResult
from indexer.catalogue.records import video_key
from indexer.retrieval.filters import LeaveOut
from indexer.retrieval.library import Library
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.reports.bootstrap import LEVEL, difference_intervals, draw_units

BOOTSTRAP_SAMPLES = 1000
_SEED = 0
_NAMED = 20
"""So many videos are named that one side alone finds."""

_Content = tuple[str, str | None, str]
"""A video's path below its data folder, its content's hash and its class."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How both sides are scored; see ``evaluate``."""

    fold: int = 1
    weights: PartWeights | None = None
    families: Mapping[str, str] | None = None
    preparation: Preparation = field(default_factory=Preparation)
    leave_out: LeaveOut | None = None


@dataclass(frozen=True)
class _Found:
    """What each query, by its path, found in a gallery that has room for ``ks``."""

    results: dict[str, QueryResult]
    ks: tuple[int, ...]


@dataclass(frozen=True)
class _Scored:
    """One library on the shared videos."""

    overall: _Found
    families: dict[str, _Found]
    recordings: dict[str, str | None]
    """By path."""
    protocol: dict[str, Any]


def compare(a: Sequence[Path], b: Sequence[Path], comparison: Comparison | None = None) -> dict[str, Any]:
    """Score two encoders on the videos that all their libraries hold: of one path, content and class.

    Args:
        a: folders of one encoder's libraries, each by other weights of its training (its seeds).
        b: those of the other encoder.
        comparison: how both are scored.

    Returns:
        JSON types: the scores of both, and ``difference``, b less a, with intervals drawn over recordings (the same
        for both sides) and over the seeds of each; the same within each family; the videos whose first neighbour is
        of their class by one side alone.

    Raises:
        DatasetError: no labelled video is in all of them, or a side of the split is empty.
        InvalidSetting: a library is given twice, or more dimensions to whiten than the gallery tells.
        NothingMatches: no video of the split that is asked for, or of a class of the families.
        MissingHead: a weight for a head that one of the encoders does not have.
    """
    how = comparison or Comparison()
    with ExitStack() as opened:
        libraries = [opened.enter_context(Library.open(folder, device="cpu")) for folder in (*a, *b)]
        if len({library.place.folder.resolve() for library in libraries}) < len(libraries):
            raise InvalidSetting("compare: a library is given twice; give two libraries of the same videos")
        held = [_contents(library) for library in libraries]
        shared = frozenset.intersection(*(frozenset(keys) for keys in held))
        if not shared:
            raise DatasetError(
                "compare: no labelled video is in all of these libraries (of the same path below the data folder, the "
                "same content and class); build them from one folder"
            )
        scored = [
            _scored(library, {keys[content]: content[0] for content in shared}, how)
            for library, keys in zip(libraries, held, strict=True)
        ]
        encoders = [dict(library.record.description) for library in libraries]
    first = scored[0]
    return {
        "protocol": first.protocol,
        "not_shared": len(frozenset.union(*(frozenset(keys) for keys in held))) - len(shared),
        "a": {"seeds": len(a), "encoder": encoders[0]},
        "b": {"seeds": len(b), "encoder": encoders[len(a)]},
        "overall": _compared([each.overall for each in scored], len(a), first.recordings),
        "within_family": {
            family: _compared([each.families[family] for each in scored], len(a), first.recordings)
            for family in first.families
        },
        "only_a": _found_alone(scored[: len(a)], scored[len(a) :]),
        "only_b": _found_alone(scored[len(a) :], scored[: len(a)]),
    }


def compare_weights(library: Library, *, fold: int = 1, families: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Score the parts of one library's vectors, each alone and together, beside the backbone alone.

    Args:
        library: an open library.
        fold: official split; a library without any is scored by leaving one out.
        families: class to family; a recording is drawn with all its family's classes.

    Returns:
        JSON types: ``rows``, the backbone first, each with its ``weights`` (backbone, motion, appearance) and, as of
        :func:`compare`, the scores ``b`` and their ``difference`` from the backbone's, ``a``, with intervals.

    Raises:
        DatasetError: no labelled video, or a side of the split is empty.
        NothingMatches: no video is in this fold.
    """
    mixes = _mixes(library)
    ids = {video_key(video.id): video.id for video in library.catalogue.videos(status="indexed") if video.label}
    scored = [_scored(library, ids, Comparison(fold=fold, weights=mix, families=families)) for mix in mixes]
    return {
        "protocol": scored[0].protocol,
        "rows": [
            {"weights": asdict(mix)} | _compared([scored[0].overall, each.overall], 1, scored[0].recordings)
            for mix, each in zip(mixes, scored, strict=True)
        ],
    }


def _mixes(library: Library) -> list[PartWeights]:
    """Each part that the library has, the backbone first; with heads, also both of them, and all three."""
    parts = tuple(library.layout.dims)
    mixes = [*((part,) for part in parts), *([parts[1:], parts] if len(parts) > 1 else [])]
    return [PartWeights(**({"backbone": 0.0} | dict.fromkeys(mix, 1.0))) for mix in mixes]


def _contents(library: Library) -> dict[_Content, int]:
    """Its labelled videos and their keys."""
    videos = library.catalogue.videos(status="indexed")
    return {(video.path, video.content_hash, video.label): video_key(video.id) for video in videos if video.label}


def _scored(library: Library, path_of: Mapping[int, str], how: Comparison) -> _Scored:
    sides = library_sides(library, fold=how.fold, leave_out=how.leave_out, keys=path_of.keys())
    scores = rank_library(library, sides, weights=how.weights, families=how.families, preparation=how.preparation)

    def found(results: Iterable[QueryResult], ks: Iterable[int]) -> _Found:
        by_path = {path_of[video_key(result.id)]: result for result in results}
        return _Found({path: by_path[path] for path in sorted(by_path)}, tuple(ks))

    recordings = sides.recordings(sides.queries, how.families or {})
    return _Scored(
        found(scores.results, scores.top_k),
        {family: found(each.results, each.summary.top_k) for family, each in scores.within_family.items()},
        {path_of[video.key]: recording for video, recording in zip(sides.queries, recordings, strict=True)},
        sides.protocol | {"leave_one_out": sides.leave_one_out} | how.preparation.facts(),
    )


def _compared(found: Sequence[_Found], seeds_of_a: int, recordings: Mapping[str, str | None]) -> dict[str, Any]:
    """Scores of both sides and their difference; ``found`` in the libraries of a, then of b."""
    paths, ks = list(found[0].results), found[0].ks
    values = np.stack([values_of([each.results[path] for path in paths], ks) for each in found])
    a, b = values[:seeds_of_a], values[seeds_of_a:]
    grouped, units = draw_units(paths, [recordings[path] for path in paths])
    intervals = difference_intervals(a, b, units, samples=BOOTSTRAP_SAMPLES, seed=_SEED)
    means = {"a": a.mean((0, 1)), "b": b.mean((0, 1)), "difference": b.mean((0, 1)) - a.mean((0, 1))}
    return {
        "queries": len(paths),
        "scores": {name: _by_measure(mean.tolist(), ks) for name, mean in means.items()},
        "intervals": {
            "level": LEVEL,
            "unit": "group" if grouped else "query",
            "units": int(units.max()) + 1,
            "samples": BOOTSTRAP_SAMPLES,
            "difference": None if intervals is None else _by_measure([list(each) for each in intervals], ks),
        },
    }


def _by_measure(values: Sequence[Any], ks: Sequence[int]) -> dict[str, Any]:
    return {
        "top_k": {str(k): value for k, value in zip(ks, values, strict=False)},
        "mean_average_precision": values[-1],
    }


def _found_alone(ours: Sequence[_Scored], theirs: Sequence[_Scored]) -> dict[str, Any]:
    """Queries whose first neighbour is of their class in all libraries of one side and in none of the other."""

    def right(scored: _Scored) -> set[str]:
        return {path for path, result in scored.overall.results.items() if result.first_hit_rank == 1}

    paths = sorted(set.intersection(*map(right, ours)).difference(*map(right, theirs)))
    return {"videos": len(paths), "paths": paths[:_NAMED]}
