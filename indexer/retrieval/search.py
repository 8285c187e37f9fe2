"""From vectors to ranked hits: weights of the three parts at query time, and the best moment of each hit.

A stored vector is [backbone | motion | appearance], each of unit length. With weights w that sum to 1 the query is
[w_b q_b | w_m q_m | w_a q_a], so that one inner product is the weighted mean of three cosines: changing the weights
needs no new index, and a video's score with itself is 1 for any weights.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.prediction import Prediction
from indexer.ingest.pooling import Layout
from indexer.retrieval.chance import DEFAULT_RATE, Chance, check_rate
from indexer.retrieval.composition import ONE_VIDEO, Composition, Examples
from indexer.retrieval.filters import Filters
from indexer.retrieval.query_footage import QueryFootage
from indexer.retrieval.rarity import Percentiles
from indexer.retrieval.speed import Speed, check_speed
from rspnet_core.config import PARTS
from rspnet_core.errors import InvalidSetting, MissingHead

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, kw_only=True)
class PartWeights:
    """How much each part counts; any non-negative numbers, of which at least one is positive.

    The default is the paper's protocol: the backbone's features alone (section 4.3).
    """

    backbone: float = 1.0
    motion: float = 0.0
    appearance: float = 0.0

    def __post_init__(self) -> None:
        got = ", ".join(f"{name} {value:g}" for name, value in asdict(self).items())
        if not all(math.isfinite(value) and value >= 0 for value in asdict(self).values()):
            raise InvalidSetting(f"weights must be finite and not negative; got {got}")
        if not any(asdict(self).values()):
            raise InvalidSetting(f"at least one weight must be positive; got {got}")

    def shares(self, layout: Layout) -> dict[str, float]:
        """Weights scaled to sum 1, for the parts that the library has.

        Raises:
            MissingHead: a part with a positive weight is not in the library.
        """
        values = asdict(self)
        missing = [name for name in PARTS if values[name] > 0 and name not in layout.dims]
        if missing:
            raise MissingHead(
                f"this library's encoder has no {' and no '.join(missing)} head (it has {', '.join(layout.dims)}); "
                "search by the backbone alone, or build with an encoder that has both heads"
            )
        total = sum(values.values())
        return {name: values[name] / total for name in layout.dims}


def usual_weights(composition: Composition, **given: float | None) -> PartWeights:
    """The backbone alone; where one video gives the motion and another one the look, both heads alike.

    A weight that is given is taken in place of the usual one.
    """
    usual = PartWeights(backbone=0, motion=1, appearance=1) if composition.has_look else PartWeights()
    return replace(usual, **{part: weight for part, weight in given.items() if weight is not None})


def check_look(weights: PartWeights, composition: Composition) -> None:
    """Raises InvalidSetting where a second video gives the look, but the look has no weight."""
    if composition.has_look and not weights.appearance:
        raise InvalidSetting("the look of a second video was asked for, but appearance has weight 0; raise it")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a search.

    Raises InvalidSetting when it asks for no hits, no possible rate of false alarms or speed, or a look without weight.
    """

    top: int
    weights: PartWeights
    start_seconds: float | None
    end_seconds: float | None
    moments: bool
    filters: Filters
    others: Examples[str | Path]
    """Beside the query: files, or ids of indexed videos."""
    false_alarms: float = DEFAULT_RATE
    speed: Speed | None = None

    def __post_init__(self) -> None:
        if self.top < 1:
            raise InvalidSetting(f"top must be at least 1, got {self.top}")
        check_rate(self.false_alarms)
        check_speed(self.speed)
        check_look(self.weights, self.others.composition)


@dataclass(frozen=True)
class Query:
    """A query's vectors and where they come from."""

    source: dict[str, Any]
    """``path`` or ``id``, and the segment where one was given; printed with the hits."""
    vector: NDArray[np.float32]
    """float32 (D,), parts of unit length."""
    clips: NDArray[np.float32]
    """float32 (num_clips, D), parts of unit length."""
    predicted: Prediction | None
    """Its class, where the encoder has a classifier."""
    composition: Composition = ONE_VIDEO
    footage: QueryFootage | None = None
    """Of a file: what copies are told by."""

    @property
    def named(self) -> dict[str, Any]:
        """``path``, and ``id`` of an indexed video."""
        return {name: self.source[name] for name in ("id", "path") if name in self.source}


def compose(query: Query, others: Examples[Query], layout: Layout) -> Query:
    """One question of a query and further examples, whose sources are told beside its own.

    Its clips are the composed vector alone: the moment of a hit is the clip that is most like all of it.
    """
    if others.composition == ONE_VIDEO:
        return query
    vector = others.composition.compose(np.stack([query.vector, *(other.vector for other in others)]), layout)
    source = query.source | others.map(lambda other: other.named).used()
    return replace(query, source=source, vector=vector, clips=vector[None], composition=others.composition)


def weigh(vectors: NDArray[np.float32], shares: dict[str, float], layout: Layout) -> NDArray[np.float32]:
    """Scale the parts of query vectors float32 (..., D) by their shares."""
    weighted = vectors.copy()
    for name, place in layout.slices().items():
        weighted[..., place] *= shares[name]
    return weighted


def part_scores(query: NDArray[np.float32], stored: NDArray[np.float32], layout: Layout) -> dict[str, float | None]:
    """Cosine of each part of two vectors float32 (D,); None for a head that the encoder does not have."""
    places = layout.slices()
    return {name: float(query[places[name]] @ stored[places[name]]) if name in places else None for name in PARTS}


def best_moment(query_clips: NDArray[np.float32], hit_clips: NDArray[np.float32]) -> int:
    """Position of the hit's clip that is most like any clip of the query.

    Args:
        query_clips: float32 (N, D), weighted.
        hit_clips: float32 (M, D).
    """
    return int((query_clips @ hit_clips.T).max(axis=0).argmax())


@dataclass(frozen=True)
class Hit:
    """One result of a search."""

    id: str
    path: str
    """Absolute path of the file."""
    label: str | None
    split: str | None
    """Side of official split 1."""
    score: float
    """Weighted mean of the cosines in ``scores``; 1 for the same video, where the query is one video."""
    scores: dict[str, float | None]
    """Cosine of the backbone's, motion's and appearance's vectors; None for a head that the encoder does not have."""
    percentiles: Percentiles
    """How rare these scores are among the library's own pairs of videos."""
    copy_of: str | None = None
    """``query``, or the id of a better hit, where this is known to be a copy of it."""
    start_seconds: float | None = None
    end_seconds: float | None = None
    """The best matching moment, where one was asked for."""
    predicted: Prediction | None = None
    """The class that the library's encoder gives it, where it has a classifier."""


def folded(hits: Iterable[Hit]) -> list[tuple[Hit, list[Hit]]]:
    """The hits in their order, each with its copies among the worse ones; those of the query under the best of them."""
    found: dict[str, tuple[Hit, list[Hit]]] = {}
    for hit in hits:
        if hit.copy_of in found:
            found[hit.copy_of][1].append(hit)
        else:
            found[hit.copy_of or hit.id] = (hit, [])
    return list(found.values())


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first, with what was asked; iterates and indexes like a list of hits."""

    query: dict[str, Any]
    predicted: Prediction | None
    """The query's own class, where the encoder has a classifier."""
    encoder: dict[str, Any]
    hits: list[Hit]
    chance: Chance
    """From which score on a hit is unusual."""
    recall: float
    """Share of the ten nearest that such a search finds; 1 where the index is exact."""

    @property
    def has_classes(self) -> bool:
        """Whether the library's encoder has a classifier."""
        return "classes" in self.encoder

    @property
    def parts(self) -> list[str]:
        """The parts that the library's vectors have."""
        return list(self.query["weights"])

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, position: int) -> Hit:
        return self.hits[position]

    def _repr_html_(self) -> str:
        """The hits with pictures, as a notebook shows them."""
        from indexer.retrieval.contact_sheet import contact_sheet

        return contact_sheet(self)

    def to_pandas(self) -> "DataFrame":
        """One row a hit, best first; columns are the fields of ``--json``'s hits, nested ones as ``scores_motion``."""
        from pandas import json_normalize

        return json_normalize([self._hit(hit) for hit in self.hits], sep="_")

    def to_json(self) -> dict[str, Any]:
        """The document that ``rspnet-index search --json`` prints; ``predicted`` only where there are classes."""
        return {
            "query": self.query | self._predicted(self.predicted),
            "encoder": self.encoder,
            "chance": asdict(self.chance),
            "recall": self.recall,
            "hits": [self._hit(hit) for hit in self.hits],
        }

    def _hit(self, hit: Hit) -> dict[str, Any]:
        described = asdict(hit)
        del described["predicted"]
        return described | self._predicted(hit.predicted)

    def _predicted(self, predicted: Prediction | None) -> dict[str, Any]:
        return {"predicted": predicted and predicted.to_json()} if self.has_classes else {}
