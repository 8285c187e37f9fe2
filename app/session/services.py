"""Everything the tabs and the API call: one open library, one encoder, the media, embedded queries. Thread-safe.

A page's events run in threads. The library that they see is swapped whole when a newer generation is published; what
embeds or explains holds the encoder's lock, so that one encoder serves all visitors, one after the other.
"""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from app.serving.media import Media, Source
from app.serving.metrics import Metrics
from app.serving.visitor_files import DEFAULT_LIMIT_BYTES, VisitorFiles
from app.serving.visitors import Visitor
from app.session.builds import Builder
from app.session.explaining import Explainer
from app.session.kept_maps import KeptMaps
from app.session.opened import OpenedLibrary
from app.session.others import Others
from app.session.projection import Method, Projection, project
from app.session.queries import QueryCache, QueryHandle, check_segment, hash_of_name, hash_upload, name_of_upload
from app.session.ranking import HITS_PER_PAGE, RankedPage, rank
from app.session.shelf import Shelf
from indexer.benchmark.scores import RetrievalScores
from indexer.catalogue.catalogue import LabelledVideo
from indexer.heatmap.explanation import PairExplanation
from indexer.index.place import Place
from indexer.retrieval.chance import DEFAULT_RATE
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights, Query, compose
from indexer.retrieval.speed import Speed
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import InvalidSetting, LibraryError, QueryNotFound, VideoError, WeightsError
from rspnet_core.explain.verdict import Faithfulness
from rspnet_core.video.datasets.dataset import find_families
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest

log = logging.getLogger("rspnet.app")

Progress = Callable[[float, str], None]
"""Share of the work that is done, 0 to 1, and what is being done."""


class Services(Shelf):
    """Use it as a context manager, or close it."""

    def __init__(
        self,
        index: Path,
        *,
        device: str = "auto",
        backbone: str | None = None,
        folders: tuple[Path, ...] = (),
        split_lists: Path | None = None,
        max_upload_bytes: int = DEFAULT_LIMIT_BYTES,
        others: tuple[Path, ...] = (),
    ) -> None:
        """Open the library at ``index``; one in which nothing is published yet is empty, not an error.

        Args:
            index: the library's folder, or the data folder it lies in.
            device: for the encoder and the index.
            backbone: the library's encoder, where that is code outside of rspnet which may be imported.
            folders: further folders whose videos may be added.
            split_lists: folder of the official lists, if not beside the videos.
            max_upload_bytes: what one visitor may keep on the server.
            others: further libraries, to compare with.

        Raises:
            LibraryNotFound: no library there.
            LibraryDamaged: it cannot be used as it is.
            InvalidSetting: a library is given twice.
        """
        super().__init__(index, device, backbone)
        self._split_lists = split_lists
        self.others = Others(self.place.folder, others, device)
        self._encoding = threading.Lock()
        self._queries = QueryCache()
        self._decoding = DecodePool(1)
        self.metrics = Metrics()
        self.files = VisitorFiles(limit_bytes=max_upload_bytes)
        self.media = Media(_cache_folder(self.place, "media"), self.files.made, self._find_video)
        self.builder = Builder(
            self.place,
            self.roots,
            self.reload,
            device=device,
            backbone=backbone,
            folders=folders,
            split_lists=split_lists,
        )
        self._explainer = Explainer(self._decoding)
        self._maps = KeptMaps(_cache_folder(self.place, "maps"))

    def close(self) -> None:
        """Stop a build, end the decoder processes, remove uploads, release the catalogue."""
        self.builder.close()
        self.media.close()
        self.files.close()
        self._decoding.close()
        self.others.close()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def embed(
        self,
        visitor: Visitor,
        path: str | Path,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        *,
        progress: Progress = lambda share, text: None,
    ) -> QueryHandle:
        """Embed a file that the visitor uploaded, or a segment of it; one that the library holds needs no encoder.

        Raises:
            VideoError: not a video, or the segment lies outside of it.
            InvalidSetting: a segment that cannot be.
        """
        start, end = check_segment(start_seconds, end_seconds)
        path = Path(path)
        progress(0.05, "Reading the file")
        digest = hash_upload(path)
        twin = self.library.catalogue.find_content(digest)
        if twin is not None:
            handle = replace(self.stored(twin, start, end), name=name_of_upload(path))
        else:
            media_id = self.media.add_query(path, digest, visitor.key)
            handle = QueryHandle(name_of_upload(path), media_id, str(path), start_seconds=start, end_seconds=end)
        self.query(handle, progress=progress)
        return handle

    def uploaded(
        self, visitor: Visitor, media_id: str, start_seconds: float | None = None, end_seconds: float | None = None
    ) -> QueryHandle:
        """A file that the visitor embedded before. Raises QueryNotFound where it is not kept any more, NotAllowed."""
        start, end = check_segment(start_seconds, end_seconds)
        path = self.media.locate(media_id, visitor.key).path
        if not path.is_file():
            raise QueryNotFound("this upload is not kept any more; upload the file again")
        return QueryHandle(name_of_upload(path), media_id, str(path), start_seconds=start, end_seconds=end)

    def query(
        self, handle: QueryHandle, *, opened: OpenedLibrary | None = None, progress: Progress = lambda share, text: None
    ) -> Query:
        """The question of a handle with its other examples; embedded again if its vectors are not kept any more.

        ``opened`` is a further library, by whose encoder and of whose videos it is. Errors as :meth:`embed`;
        QueryNotFound when another example is not in the library any more.
        """
        asked = opened or self.opened
        encoder = f"{asked.library.record.fingerprint} {asked.library.place.folder}"
        query = self._queries.get(handle, encoder, lambda: self._embed(asked, handle, progress))
        others = handle.others.map(lambda video_id: self._example(asked, video_id))
        return compose(query, others, asked.library.layout)

    def _example(self, opened: OpenedLibrary, video_id: str) -> Query:
        video = opened.video(video_id)
        return opened.library.stored_query({"id": video.id, "path": video.path}, video, with_clips=False)

    def _embed(self, opened: OpenedLibrary, handle: QueryHandle, progress: Progress) -> Query:
        source: dict[str, Any] = {"id": handle.video_id} if handle.video_id else {}
        source |= {"path": handle.name, "start_seconds": handle.start_seconds, "end_seconds": handle.end_seconds}
        if handle.video_id and handle.is_whole:
            return opened.library.stored_query(source, opened.video(handle.video_id))
        encoder = opened.library.encoder
        progress(0.15, "Decoding clips")
        request = DecodeRequest(handle.path, encoder.spec.geometry, handle.start_seconds, handle.end_seconds)
        with self.metrics.stage("decode"):
            decoded = next(self._decoding.map([request]))
            if decoded.clips is None:
                raise VideoError(f"{handle.name}: {decoded.error}")
        progress(0.4, f"Embedding {len(decoded.clips.frames)} clips")
        with self._encoding, self.metrics.stage("encode"):
            return opened.library.clips_query(source, decoded.clips, Path(handle.path), self._decoding)

    def _find_video(self, video_id: str) -> Source:
        video = self.video(video_id)
        return Source(self.library.path_of(video), video.content_hash or hash_of_name(f"{video.id} {video.size_bytes}"))

    def rank(
        self,
        handle: QueryHandle,
        weights: PartWeights,
        filters: Filters | None = None,
        *,
        page: int = 1,
        per_page: int = HITS_PER_PAGE,
        false_alarms: float = DEFAULT_RATE,
        speed: Speed | None = None,
    ) -> RankedPage:
        """A page of hits by stored or kept vectors. Raises what :meth:`query` and ``ranking.rank`` raise."""
        query, opened = self.query(handle), self.opened
        with self.metrics.stage("search"):
            return rank(
                opened, query, weights, filters, page=page, per_page=per_page, false_alarms=false_alarms, speed=speed
            )

    def warm_up(self) -> None:
        """Start a decoder, load the encoder and run it once, so that the first visitor does not wait for that."""
        if self._opened is None:
            return
        next(self._decoding.map([DecodeRequest(self.place.folder, ClipGeometry())]))  # a folder: refused at once
        try:
            with self._encoding:
                encoder = self._opened.library.encoder
                size = encoder.spec.geometry
                frames = np.zeros((size.num_clips, size.frames_per_clip, size.size, size.size, 3), np.uint8)
                encoder.encode([frames])
        except (LibraryError, WeightsError) as error:
            log.warning("uploads cannot be embedded: %s", error)

    def explain(self, handle: QueryHandle, match_id: str, positions: tuple[int, int] | None = None) -> PairExplanation:
        """Heat maps of both heads for a query and a video of the library.

        ``positions`` are clips of the query and of the match; the best pair without. Both videos' feature maps are
        kept, so another pair of the same videos comes at once. Raises QueryNotFound, VideoError.
        """
        opened = self.opened
        match = self.stored(match_id)
        with self._encoding:
            return self._explainer.explain(opened.library, handle, match, positions)

    def faithfulness(self, handle: QueryHandle, match_id: str, head: str, positions: tuple[int, int]) -> Faithfulness:
        """Whether the head's map of the query's clip is true: hide what it marks, embed again; takes seconds."""
        opened = self.opened
        match = self.stored(match_id)
        with self._encoding:
            return self._explainer.faithfulness(opened.library, handle, match, head, positions)

    def report(self, fold: int = 1, weights: PartWeights | None = None) -> tuple[dict[str, Any], RetrievalScores]:
        """The retrieval report, as ``rspnet-index benchmark --json``, and the scores of each query.

        Within families too, where the lists of a data folder have some. Raises DatasetError when there is nothing
        labelled or a list of families is wrong, MissingHead for a head that is not there.
        """
        from indexer.benchmark.evaluation import evaluate  # it draws: matplotlib takes a second of the app's start

        if fold < 1:
            raise InvalidSetting(f"fold: got {fold}, allowed is 1 or more")
        return evaluate(self.library, fold=fold, weights=weights, families=self._families())

    def _families(self) -> dict[str, str] | None:
        """Class -> family of the library's classes; None where there are none."""
        labels = set(self.opened.labels)
        found = {
            label: family
            for root in self.roots()
            for label, family in find_families(root, self._split_lists).items()
            if label in labels
        }
        return found or None

    def compared_weights(self, fold: int = 1) -> dict[str, Any]:
        """The parts alone and together on one split, as ``compare_weights``. Raises DatasetError, NothingMatches."""
        from indexer.benchmark.compare import compare_weights

        return compare_weights(self.library, fold=fold, families=self._families())

    def projection(self, space: str, method: Method = "pca") -> tuple[list[LabelledVideo], Projection]:
        """The library's videos and their points on a plane, in the same order.

        ``space`` is backbone, motion or appearance. UMAP's points are kept in a file: of a library that has not changed
        they come at once. Raises InvalidSetting for another space, or one that is not there.
        """
        opened = self.opened
        places = opened.library.layout.slices()
        if space not in places:
            raise InvalidSetting(f"space: this library has {', '.join(places)}")
        videos, vectors = opened.videos_and_vectors
        part = vectors[:, places[space]]
        if method == "pca":
            return videos, project(part)
        points = self._maps.get(opened.generation, space, len(videos), lambda: project(part, method).points)
        return videos, Projection(method, points)

    def is_kept(self, space: str, method: Method) -> bool:
        """Whether a projection comes at once."""
        opened = self.opened
        return method == "pca" or self._maps.read(opened.generation, space, len(opened.videos)) is not None


def _cache_folder(place: Place, kind: str) -> Path:
    """Below $RSPNET_CACHE if that is set, else in the library's folder."""
    cache = os.environ.get("RSPNET_CACHE")
    if cache:
        return Path(cache).expanduser() / kind / hash_of_name(str(place.folder))[:16]
    return place.folder / kind
