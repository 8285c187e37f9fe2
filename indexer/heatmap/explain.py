"""Why two videos match: the best pair of their clips, and where in it each head's similarity comes from.

    query, match --decode--> ten clips each --embed--> feature maps --heads--> clip-similarity matrix of each head
        --best pair--> maps of both heads in both clips (Eq. 4), one scale a head

The pair shown is the one whose mean cosine over both heads is highest, so that both heads explain the same frames.
An encoder without heads is explained by its backbone alone, which stands in the place of the heads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from indexer.heatmap.explanation import PairExplanation, Side
from indexer.heatmap.figures import FaithfulnessOfBoth
from indexer.heatmap.titles import TITLES
from rspnet_core.config import ClipGeometry, EncoderSpec
from rspnet_core.errors import InvalidSetting, VideoError
from rspnet_core.explain.faithfulness import faithfulness
from rspnet_core.explain.similarity_maps import Head, explained_by, explaining_head, pair_maps, projections, upsampled
from rspnet_core.models.backbone import PartsBackbone
from rspnet_core.models.features import clip_features
from rspnet_core.models.two_head import EncoderModel
from rspnet_core.video.reading.decode import Clips
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest


@dataclass(frozen=True)
class EmbeddedVideo:
    """A decoded video with the feature maps of its clips: enough to explain any pair of its clips at once."""

    name: str
    clips: Clips
    features: Tensor
    """float32 (num_clips, C, T', H', W')."""


def explain_pair(
    model: EncoderModel,
    spec: EncoderSpec,
    query: Path,
    match: Path,
    *,
    positions: tuple[int, int] | None = None,
) -> PairExplanation:
    """Decode two video files in child processes, embed their clips and explain the best pair of them.

    Args:
        model: with linear heads or none, in eval mode, on any device.
        spec: its specification, from ``load_encoder`` or ``load_checkpoint``.
        query: a video file.
        match: another, or the same.
        positions: explain this pair of clips (of the query, of the match) and not the best one.

    Raises:
        InvalidSetting: a head that is not linear, or positions out of range.
        VideoError: a file cannot be decoded; the message names it.
    """
    check_heads(model)
    clips = read_pair(query, match, spec.geometry)
    embedded = [embed(model, spec, path.name, each) for path, each in zip((query, match), clips, strict=True)]
    return explain(model, *embedded, positions=positions)


def check_heads(model: EncoderModel) -> dict[str, Head]:
    """What explains an encoder: both heads, or the backbone; InvalidSetting where heat maps cannot be made."""
    return {name: explaining_head(model, name) for name in explained_by(model)}


def read_pair(query: Path, match: Path, geometry: ClipGeometry) -> tuple[Clips, Clips]:
    """Clips of two files, decoded side by side in the sandbox; raises VideoError, which names the file."""
    paths = {str(path.resolve()): path for path in (query, match)}
    decoded: dict[str, Clips] = {}
    with DecodePool(len(paths)) as pool:
        for result in pool.map([DecodeRequest(path=path, geometry=geometry) for path in paths]):
            path = str(result.request.path)
            if result.clips is None:
                raise VideoError(f"{paths[path]}: {result.error}")
            decoded[path] = result.clips
    return decoded[str(query.resolve())], decoded[str(match.resolve())]


def embed(model: EncoderModel, spec: EncoderSpec, name: str, clips: Clips) -> EmbeddedVideo:
    """Feature maps of all clips of a video; ``name`` is what pictures call it."""
    return EmbeddedVideo(name, clips, clip_features(model, clips.frames, spec.normalisation))


def explain(
    model: EncoderModel, query: EmbeddedVideo, match: EmbeddedVideo, *, positions: tuple[int, int] | None = None
) -> PairExplanation:
    """Explain two embedded videos; takes milliseconds, so another pair of clips can be shown at once.

    Arguments and errors are those of :func:`explain_pair`.
    """
    heads = check_heads(model)
    similarities = {name: _cosines(query.features, match.features, head) for name, head in heads.items()}
    if positions is None:
        positions = _best_pair(similarities)
    for position, video in zip(positions, (query, match), strict=True):
        if not 0 <= position < len(video.features):
            raise InvalidSetting(f"got clip {position}, {video.name} has clips 0 to {len(video.features) - 1}")
    maps = {name: pair_maps(query.features[positions[0]], match.features[positions[1]], heads[name]) for name in heads}
    return PairExplanation(
        query=_side(query, positions[0], {name: pair.first for name, pair in maps.items()}),
        match=_side(match, positions[1], {name: pair.second for name, pair in maps.items()}),
        cosines={name: pair.cosine for name, pair in maps.items()},
        similarities=similarities,
        titles=model.backbone.titles if isinstance(model.backbone, PartsBackbone) else TITLES,
    )


def faithfulness_of_both(model: EncoderModel, spec: EncoderSpec, explanation: PairExplanation) -> FaithfulnessOfBoth:
    """Faithfulness of both heads' maps in both clips; embeds up to 500 clips. Raises as ``faithfulness`` does."""
    query, match = explanation.query.frames, explanation.match.frames
    pairs = {"query": (query, match), "match": (match, query)}
    return {
        head: {side: faithfulness(model, spec.normalisation, *clips, head) for side, clips in pairs.items()}
        for head in explanation.cosines
    }


def _cosines(first: Tensor, second: Tensor, head: Head) -> NDArray[np.float32]:
    units = [normalize(projections(features, head), dim=1) for features in (first, second)]
    return np.asarray((units[0] @ units[1].T).cpu().numpy(), dtype=np.float32)


def _best_pair(similarities: Mapping[str, NDArray[np.float32]]) -> tuple[int, int]:
    mean = np.mean(list(similarities.values()), axis=0)
    first, second = np.unravel_index(mean.argmax(), mean.shape)
    return int(first), int(second)


def _side(video: EmbeddedVideo, clip: int, cells: Mapping[str, Tensor]) -> Side:
    frames = video.clips.frames[clip]
    size = frames.shape[0], frames.shape[1], frames.shape[2]
    return Side(
        name=video.name,
        clip=clip,
        spans_seconds=video.clips.spans_seconds,
        frames=frames,
        maps={name: upsampled(values, *size) for name, values in cells.items()},
    )
