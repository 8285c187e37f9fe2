"""A published library as a reader sees it: open one generation, search it, ask what it holds."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.publish import open_current_index
from indexer.catalogue.published import PublishedCatalogue, open_published
from indexer.index.index_types import SearchIndex
from indexer.index.place import Place
from indexer.retrieval.bounds import read_date
from indexer.retrieval.chance import DEFAULT_RATE
from indexer.retrieval.composition import Examples
from indexer.retrieval.distinct import Found, Ranking, without
from indexer.retrieval.filters import SHOWN_FOLD, Filters, LeaveOut, keys_that_pass
from indexer.retrieval.info import library_info
from indexer.retrieval.own_group import left_out, told
from indexer.retrieval.query_source import QuerySource
from indexer.retrieval.rarity import PairScores, Scores, library_pairs
from indexer.retrieval.search import (
    Hit,
    PartWeights,
    Query,
    Request,
    SearchResult,
    best_moment,
    compose,
    part_scores,
    usual_weights,
    weigh,
)
from indexer.retrieval.speed import Playback, Speed, read_playback
from indexer.retrieval.tagging import tagged
from rspnet_core.errors import LibraryNotFound, LibraryOutdated


class Library(QuerySource):
    """Reads one generation of a library; a newer one is seen by opening it again.

    Every answer is that of one generation, whatever is built meanwhile: of this one, or of a newer one where this one's
    videos were dropped and two newer generations published.

    >>> with Library.open("demo") as library:
    ...     for hit in library.search("demo/Bounce/v_Bounce_g01_c01.mp4", top=5):
    ...         print(hit.score, hit.path)
    """

    @classmethod
    def open(cls, path: str | Path, *, device: str = "auto", backbone: str | None = None) -> Self:
        """Open the library at ``path``, or the one in the data folder ``path``.

        Where its encoder is code outside of rspnet, that code is imported only if ``backbone`` names it, and only when
        a query must be embedded; queries by id need no encoder, and PyTorch is not loaded for them.

        Raises:
            LibraryNotFound: there is none, or nothing has been built yet.
            DeviceUnavailable: ``device`` is not on this machine.
        """
        place = Place.find(path)
        if device not in {"auto", "cpu"}:
            from indexer.ingest.encoder import choose_device

            choose_device(device)
        catalogue = open_published(place.folder, place.catalogue_target)
        record = catalogue.encoder()
        if record is None:
            catalogue.close()
            raise LibraryNotFound(f"the library at {place.folder} is empty: run its build again")
        return cls(place, catalogue, record, device, backbone)

    @cached_property
    def index(self) -> SearchIndex:
        """The published FAISS index, on the GPU where there is one."""
        if isinstance(self.catalogue, PublishedCatalogue):
            return self.catalogue.index.to(self._device)
        return open_current_index(self.place.folder, self.record.fingerprint).to(self._device)

    @cached_property
    def pairs(self) -> PairScores:
        """Of the library's own videos."""
        return library_pairs(self.catalogue, self.index, self.layout)

    def search(
        self,
        query: str | Path,
        *,
        top: int = 5,
        weights: PartWeights | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        moments: bool = False,
        label: str | None = None,
        split: str | None = None,
        folder: str | None = None,
        look_of: str | Path | None = None,
        like: Sequence[str | Path] = (),
        unlike: Sequence[str | Path] = (),
        false_alarms: float = DEFAULT_RATE,
        min_seconds: float | None = None,
        max_seconds: float | None = None,
        min_mb: float | None = None,
        max_mb: float | None = None,
        since: str | date | None = None,
        until: str | date | None = None,
        added_since: str | date | None = None,
        tag: str | None = None,
        leave_out: LeaveOut | None = None,
        speed: Speed | None = None,
    ) -> SearchResult:
        """Find the videos most like ``query``: a video file, or the id of an indexed video.

        The question may have further examples, each a file or an id too, which ``start_seconds`` and ``end_seconds`` do
        not cut: hits move like the query and look like ``look_of``; or they are also like all of ``like`` and less like
        those of ``unlike``.

        Args:
            query: a file, embedded now, or an id, whose stored vectors are used.
            top: how many hits, at least 1; what is known to be a copy of a better one comes beside them.
            weights: how much backbone, motion and appearance count; the default is the backbone alone, with ``look_of``
                both heads alike and no backbone.
            start_seconds: beginning of the segment of the query that counts; its file is then read again.
            end_seconds: end of that segment.
            moments: find the clip of each hit that is most like any clip of the query.
            label: only videos of this class.
            split: only videos of this side (``train``, ``test``, ``val``) of official split 1.
            folder: only videos below this folder, relative to the data folder.
            look_of: takes the query's place in what the appearance head compares.
            like: hits shall be like these too.
            unlike: hits shall be less like these.
            false_alarms: share of unrelated pairs that may score higher than the score from which a hit is unusual.
            min_seconds: only videos at least this long.
            max_seconds: only videos at most this long.
            min_mb: only files of at least so many megabytes, of 1,000,000 bytes.
            max_mb: only files of at most so many.
            since: only files last changed on this day of UTC or later; ISO text or a date, as a moment with a time too.
            until: only files last changed on this day or earlier.
            added_since: only videos that the library first indexed on this day or later, wherever their files lie now.
            speed: ``faster`` or ``slower`` than the query first, where ``rspnet-index playback`` found that the encoder
                tells speeds; scores say what they do without.
            tag: only videos with this tag, as they have it now.
            leave_out: leave out the query's own ``group``, the clips of one source video within a class, or its
                ``recording``, those of sources of that name in all classes, as names of a data set's files tell them.

        Raises:
            QueryNotFound: the query or another example is neither a file nor an id.
            VideoError: the query cannot be decoded.
            MissingHead: a weight for a head that the library does not have.
            InvalidSetting: a number out of range, or text that is no date; ``look_of`` beside other examples, or with
                no weight of appearance; a query of which it cannot be known what to leave out.
            NothingMatches: no video of the library passes all that restricts; says which has none, and what there is.
        """
        others = Examples(look_of=look_of, like=tuple(like), unlike=tuple(unlike))
        request = Request(
            top=top,
            weights=weights or usual_weights(others.composition),
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            moments=moments,
            filters=Filters(
                label=label,
                split=split,
                folder=folder,
                min_seconds=min_seconds,
                max_seconds=max_seconds,
                min_mb=min_mb,
                max_mb=max_mb,
                since=read_date("since", since),
                until=read_date("until", until),
                added_since=read_date("added_since", added_since),
                tag=tag,
                leave_out=leave_out,
            ),
            others=others,
            false_alarms=false_alarms,
            speed=speed,
        )
        try:
            return self._answer(query, request)
        except LibraryOutdated:
            with type(self).open(self.place.folder, device=self._device, backbone=self._backbone) as newer:
                return newer._answer(query, request)

    def _answer(self, query: str | Path, asked: Request) -> SearchResult:
        """What this generation answers; LibraryOutdated when something of it is kept no more."""
        shares = asked.weights.shares(self.layout)
        having = tagged(self, asked.filters.tag)
        allowed = keys_that_pass(self.catalogue, asked.filters, tagged=having)
        segment = {"start_seconds": asked.start_seconds, "end_seconds": asked.end_seconds}
        others = asked.others.map(lambda other: self.embed(other, with_clips=False))
        question = compose(self.embed(query, **segment, with_clips=asked.moments), others, self.layout)
        if own := left_out(question, self, asked.filters.leave_out):
            allowed = keys_that_pass(self.catalogue, asked.filters, own.groups, having)
        push = self.push(asked.speed, shares)
        ranking = Ranking(self.index, self, question, weigh(question.vector, shares, self.layout) + push, allowed)
        hits = self._hits(question, ranking.best_distinct(asked.top), shares, push)
        if asked.moments:
            hits = self._with_moments(hits, weigh(question.clips, shares, self.layout))
        return SearchResult(
            query=question.source | told(own) | ({"speed": asked.speed} if asked.speed else {}) | {"weights": shares},
            predicted=question.predicted,
            encoder=dict(self.record.description),
            hits=hits,
            chance=self.pairs.of(question.composition).chance(shares, asked.false_alarms),
            recall=self.index.recall,
        )

    def playback(self) -> Playback:
        """How the encoder tells speeds, as it was measured last. Raises InvalidSetting where it does not."""
        return read_playback(self.place.folder, self.record.fingerprint)

    def push(self, speed: Speed | None, shares: dict[str, float]) -> Scores:
        """What is added to a weighted query so that what is ``speed`` comes first, float32 (D,); zeros for None.

        Raises InvalidSetting where the library's encoder is not known to tell speeds, or does not.
        """
        push = np.zeros(self.layout.size, np.float32)
        if speed is not None:
            towards = self.playback().push(speed)
            push[self.layout.slices()["motion"]] = towards * np.float32(self.pairs.spread(shares))
        return push

    def _hits(self, question: Query, found: list[Found], shares: dict[str, float], push: Scores) -> list[Hit]:
        """Describe the videos found."""
        vectors = self.catalogue.video_vectors([each.video.id for each in found])
        return [
            self.hit(without(push, each, vector), str(self.path_of(each.video)), question, vector, shares)
            for each, vector in zip(found, vectors, strict=True)
        ]

    def _with_moments(self, hits: list[Hit], query_clips: NDArray[np.float32]) -> list[Hit]:
        clips = self.catalogue.clips_of([hit.id for hit in hits])
        best = [of.spans_seconds[best_moment(query_clips, of.vectors)].tolist() for of in clips]
        return [replace(hit, start_seconds=at[0], end_seconds=at[1]) for hit, at in zip(hits, best, strict=True)]

    def hit(self, found: Found, path: str, asked: Query, own: Scores, shares: dict[str, float]) -> Hit:
        """One video found by ``asked``, shown as ``path``; its own vector is ``own`` float32 (D,)."""
        video, scores = found.video, part_scores(asked.vector, own, self.layout)
        return Hit(
            id=video.id,
            path=path,
            label=video.label,
            split=video.splits.get(SHOWN_FOLD),
            score=found.score,
            scores=scores,
            percentiles=self.pairs.of(asked.composition).percentiles(found.score, scores, shares),
            copy_of=found.copy_of,
            predicted=video.predicted,
        )

    def info(self) -> dict[str, Any]:
        """What the library holds, as ``rspnet-index info --json`` prints it."""
        return library_info(self.place, self.catalogue, self.record)
