"""From a file or an id to vectors: what a library's searches ask by."""

import logging
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from indexer.catalogue.catalogue import EncoderRecord, LabelledVideo, VideoRow
from indexer.catalogue.published import AnyCatalogue
from indexer.index.place import Place
from indexer.ingest.pooling import Layout
from indexer.retrieval.query_footage import QueryFootage
from indexer.retrieval.search import Query
from indexer.retrieval.tags_file import TagsFile
from rspnet_core.errors import InvalidSetting, LibraryDamaged, QueryNotFound, VideoError
from rspnet_core.text import told_apart

if TYPE_CHECKING:
    from indexer.ingest.encoder import ClipEncoder
    from rspnet_core.config import EncoderSpec
    from rspnet_core.models.two_head import EncoderModel
    from rspnet_core.video.reading.decode import Clips
    from rspnet_core.video.reading.sandbox import DecodePool

log = logging.getLogger("rspnet.search")


class QuerySource:
    """The videos and the encoder of one generation of a library."""

    def __init__(
        self,
        place: Place,
        catalogue: AnyCatalogue,
        record: EncoderRecord,
        device: str,
        backbone: str | None = None,
    ) -> None:
        self.place = place
        self.catalogue = catalogue
        """What the generation shows; of a library that nothing was published of yet, or by an older version only, the
        catalogue itself."""
        self.record = record
        self.layout = Layout(dict(record.parts))
        self._device = device
        self._backbone = backbone

    def close(self) -> None:
        """Release the catalogue, and end the decoder process if a query started one."""
        self.catalogue.close()
        if "_decoder" in self.__dict__:
            self._decoder.close()

    @cached_property
    def _decoder(self) -> "DecodePool":
        from rspnet_core.video.reading.sandbox import DecodePool

        return DecodePool(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def tags(self) -> TagsFile:
        """Names that people gave to its videos."""
        return TagsFile(self.place.folder)

    @cached_property
    def encoder(self) -> "ClipEncoder":
        """The library's own copy of the encoder that made its vectors; loaded when first needed.

        Raises:
            LibraryDamaged: the copy is not the encoder that the vectors were made with, or its INT8 form is damaged.
        """
        from indexer.ingest.backend_choice import use_kept_backend
        from indexer.ingest.encoder import ClipEncoder, choose_device

        device, pooling = choose_device(self._device), self.record.description["pooling"]
        frames = self.record.description.get("frames", "original")
        encoder = ClipEncoder(*self.load_network(), pooling=pooling, device=device, frames=frames)
        if encoder.fingerprint != self.record.fingerprint:
            raise LibraryDamaged(
                f"the library's vectors are of encoder {self.record.fingerprint}, its weights give "
                f"{encoder.fingerprint} in this version of rspnet; build into a new --index"
            )
        for note in use_kept_backend(encoder, self.place):
            log.warning(note)
        return encoder

    def load_network(self) -> "tuple[EncoderModel, EncoderSpec]":
        """The network of the library's own copy of its encoder, in eval mode on the CPU. Raises WeightsError."""
        from indexer.ingest.simulate import check_has_encoder
        from rspnet_core.weights.checkpoint import load_checkpoint

        check_has_encoder(self.record)
        return load_checkpoint(self.place.encoder_path(self.record.fingerprint), named_by_user=self._backbone)

    def embed(
        self,
        query: str | Path,
        *,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        with_clips: bool = True,
    ) -> Query:
        """Vectors of a video file or an indexed video, of its clips if asked; errors as of ``Library.search``."""
        segment = {"start_seconds": start_seconds, "end_seconds": end_seconds}
        check_segment(start_seconds, end_seconds)
        path, row = self.locate(query)
        if row is not None and start_seconds is end_seconds is None:
            return self.stored_query({"id": row.id, "path": str(path)} | segment, row, with_clips=with_clips)
        clips = self._decode(path, start_seconds, end_seconds)
        return self.clips_query({"path": str(path)} | segment, clips, path, self._decoder)

    def stored_query(self, source: dict[str, Any], video: VideoRow, *, with_clips: bool = True) -> Query:
        """An indexed video as a query, by what is stored of it. Raises QueryNotFound when it has gone meanwhile."""
        vector = self.catalogue.video_vector(video.id)
        clips = self.catalogue.clip_vectors(video.id).vectors if with_clips else vector[None][:0]
        return Query(source, vector, clips, video.predicted)

    def clips_query(self, source: dict[str, Any], clips: "Clips", path: Path, pool: "DecodePool") -> Query:
        """Decoded clips as a query, embedded now; ``pool`` reads their file again, to tell its copies."""
        encoded = self.encoder.encode([clips.frames])[0]
        footage = QueryFootage(path, clips.info.fps, pool)
        return Query(source, encoded.video, encoded.vectors, self.encoder.prediction(encoded), footage=footage)

    def locate(self, query: str | Path) -> tuple[Path, VideoRow | None]:
        """The file that ``query`` names, or the file and row of the indexed video with that id.

        Raises QueryNotFound when it is neither.
        """
        if Path(query).exists():
            return Path(query), None
        with suppress(QueryNotFound):  # not even of an id's form
            for found in self.catalogue.videos(ids=[str(query)], status="indexed"):
                return self.path_of(found), found
        raise QueryNotFound(f"{str(query)!r} is neither a file nor the id of an indexed video; give a path or an id")

    def names_of(self, videos: Sequence[VideoRow | LabelledVideo]) -> list[str]:
        """What people call these videos: file names, with as much of the folder as tells them apart."""
        return told_apart([str(self.path_of(video)) for video in videos])

    def path_of(self, video: VideoRow | LabelledVideo) -> Path:
        """Where the file of an indexed video was when it was indexed."""
        return self.root_of(video) / video.path

    def root_of(self, video: VideoRow | LabelledVideo) -> Path:
        """The data folder of an indexed video, wherever the library and it were moved together."""
        return Path(os.path.normpath(self.place.folder / self._roots[video.root_id]))

    @cached_property
    def groups(self) -> frozenset[str]:
        """Of all indexed videos that have one."""
        return self.catalogue.groups()

    @cached_property
    def _roots(self) -> dict[int, str]:
        return self.catalogue.roots()

    def _decode(self, path: Path, start_seconds: float | None, end_seconds: float | None) -> "Clips":
        from rspnet_core.video.reading.sandbox import DecodeRequest

        geometry, span = self.encoder.spec.geometry, (start_seconds, end_seconds)
        request = DecodeRequest(path=str(path.resolve()), geometry=geometry, start_seconds=span[0], end_seconds=span[1])
        result = next(self._decoder.map([request]))
        if result.clips is None:
            raise VideoError(f"{path}: {result.error}")
        return result.clips


def check_segment(start_seconds: float | None, end_seconds: float | None) -> None:
    """Raises InvalidSetting for a part that no video has: before its beginning, or with an end that is not after it."""
    for name, value in (("start", start_seconds), ("end", end_seconds)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise InvalidSetting(f"{name}: got {value:g}, allowed are seconds from 0")
    start = start_seconds or 0.0
    if end_seconds is not None and end_seconds <= start:
        raise InvalidSetting(
            f"the segment ends at {end_seconds:g} s, before its start at {start:g} s; give an end after it"
        )
