"""Explain pairs of videos for the page; feature maps are kept, so another pair of clips comes at once.

What explains is imported with the first pair: PyTorch takes two seconds that a page and its searches need not wait.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

from app.session.queries import QueryHandle
from indexer.heatmap.explanation import PairExplanation
from indexer.retrieval.library import Library
from rspnet_core.config import EncoderSpec
from rspnet_core.errors import VideoError
from rspnet_core.explain.verdict import Faithfulness
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest

if TYPE_CHECKING:
    from indexer.heatmap.explain import EmbeddedVideo
    from rspnet_core.models.two_head import EncoderModel

_MOST_KEPT = 8
"""Ten clips with their feature maps take about 10 MB at 112 pixels, 80 MB at 224."""


class Explainer:
    """One call at a time: the caller holds the encoder's lock."""

    def __init__(self, decoding: DecodePool) -> None:
        self._decoding = decoding
        self._kept: OrderedDict[str, EmbeddedVideo] = OrderedDict()
        self._loaded: tuple[str, EncoderModel, EncoderSpec] | None = None

    def explain(
        self, library: Library, query: QueryHandle, match: QueryHandle, positions: tuple[int, int] | None
    ) -> PairExplanation:
        """Maps of both heads in one pair of clips, the best one without ``positions``."""
        from indexer.heatmap.explain import explain

        model, _ = self._model(library)
        videos = [self._embedded(library, handle) for handle in (query, match)]
        return explain(model, videos[0], videos[1], positions=positions)

    def faithfulness(
        self, library: Library, query: QueryHandle, match: QueryHandle, head: str, positions: tuple[int, int]
    ) -> Faithfulness:
        """What hiding the query clip's important area does, for one pair of clips."""
        from rspnet_core.explain.faithfulness import faithfulness

        model, spec = self._model(library)
        first, second = (
            self._embedded(library, handle).clips.frames[position]
            for handle, position in zip((query, match), positions, strict=True)
        )
        return faithfulness(model, spec.normalisation, first, second, head)

    def _model(self, library: Library) -> tuple["EncoderModel", EncoderSpec]:
        """The library's encoder in float32 with its feature maps, which the searching one does not give out."""
        if self._loaded is None or self._loaded[0] != library.record.fingerprint:
            model, spec = library.load_network()
            self._loaded = library.record.fingerprint, model.to(library.encoder.device), spec
        return self._loaded[1:]

    def _embedded(self, library: Library, handle: QueryHandle) -> "EmbeddedVideo":
        from indexer.heatmap.explain import embed

        key = f"{library.record.fingerprint} {handle.key}"
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        model, spec = self._model(library)
        request = DecodeRequest(handle.path, spec.geometry, handle.start_seconds, handle.end_seconds)
        decoded = next(self._decoding.map([request]))
        if decoded.clips is None:
            raise VideoError(f"{handle.name}: {decoded.error}")
        self._kept[key] = embed(model, spec, handle.name, decoded.clips)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]
