"""What a frozen encoder knows after one task, video by video: retrieval, and which of two clips is the faster.

retrieval      a held-out video finds one of its class (section 4.3): features of evenly spaced clips, averaged
speed ranking  c_i, c_j and c_k of a held-out video (Eq. 2): is c_i nearer to the clip of its own speed?
faster clip    the same c_j and c_k: a linear read-out, fitted on the videos that were learnt from, says which is faster

All by the encoder's features alone, so that all tasks, and what was not trained, are measured alike.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.energy import Energy
from rspnet_core.models.two_head import EncoderModel
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.motion_test import Labelled, plain_reader, retrieval_hits
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import Draws, centre_square
from rspnet_core.video.reading.colour import colour_histogram
from rspnet_core.video.sampling import even_clip_indices
from rspnet_core.video.store.frame_store import FrameStore

MEASURES = ("top_1", "top_5", "speed_ranking", "faster_clip")
Scores = dict[str, list[float | None]]
"""Measure -> 1 or 0 for each held-out video, None where it is too short for the measure's clips."""

_CLIPS_AT_ONCE = 48
_RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Of the read-out, on standardised features; the one that serves left-out videos of those learnt from best is taken."""
_NO_CHANGE = Normalisation(mean=(0, 0, 0), std=(1, 1, 1))


@dataclass(frozen=True)
class Describer:
    """Turns clips float32 (N, 3, T, H, W), RGB in 0 to 1, into features."""

    of_clips: Callable[[Tensor], Tensor]
    """-> (N, D), to be averaged over the clips of a video."""
    of_speed: Callable[[Tensor], Tensor]
    """-> (N, D'), which tell speeds; of one number, the difference counts, of more the cosine."""
    finish: Callable[[Tensor], Tensor] = lambda pooled: pooled
    """Done to ``of_clips``'s (..., D) before they are compared."""

    def vectors(self, pooled: Tensor) -> Tensor:
        """Unit vectors (..., D)."""
        return F.normalize(self.finish(pooled), dim=-1)


def by_network(model: EncoderModel) -> Describer:
    """The features before the heads, which the paper drops; ``model`` on the device of the clips, in eval mode.

    Retrieval pools them as an index does, speeds by their mean, as tasks see them.
    """
    spec, backbone = Normalisation(), model.backbone
    assert isinstance(backbone, Backbone)

    def features(clips: Tensor) -> Tensor:
        mean, std = clips.new_tensor([spec.mean, spec.std]).view(2, 3, 1, 1, 1)
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=clips.is_cuda):
            return model.features((clips - mean) / std)

    return Describer(
        lambda clips: backbone.pool(features(clips), "max-mean")["backbone"],
        lambda clips: features(clips).mean(dim=(2, 3, 4), dtype=torch.float32),
        lambda pooled: backbone.finish({"backbone": pooled})["backbone"],
    )


def by_energy() -> Describer:
    """The motion part of ``energy``, no network; a speed is told by one number, how much frames differ."""
    energy = Energy().eval()
    sizes = energy.part_sizes()
    splits = [sizes["motion"], sizes["appearance"]]

    def finish(pooled: Tensor) -> Tensor:
        motion, appearance = torch.split(pooled, splits, dim=-1)
        return energy.finish({"motion": motion, "appearance": appearance})["motion"]

    def of_clips(clips: Tensor) -> Tensor:
        pooled = energy.pool(energy(clips), "mean")
        return torch.cat([pooled["motion"], pooled["appearance"]], dim=-1)

    def of_speed(clips: Tensor) -> Tensor:
        return clips.diff(dim=2).abs().mean(dim=(1, 2, 3, 4))[:, None].clamp(min=1e-6).log()

    return Describer(of_clips, of_speed, finish)


def by_colour() -> Describer:
    """Colour histograms, which know nothing of motion."""

    def of_clips(clips: Tensor) -> Tensor:
        pixels = (clips * 255).round().byte().permute(0, 2, 3, 4, 1).cpu().numpy()
        return torch.from_numpy(np.stack([colour_histogram(clip) for clip in pixels])).to(clips.device)

    return Describer(of_clips, of_clips)


@torch.inference_mode()
def video_scores(
    describer: Describer,
    recipe: JointRecipe,
    learnt: FrameStore,
    held_out: FrameStore,
    gallery: FrameStore,
    *,
    num_clips: int = 10,
) -> Scores:
    """All measures of each held-out video.

    Args:
        describer: of clips.
        recipe: tells the clips, and the two speeds.
        learnt: videos that the read-out of speed is fitted on.
        held_out: labelled by their names, as UCF101's.
        gallery: what they search; where it shares videos with ``held_out``, each leaves its own recording out.
        num_clips: of each video, for retrieval.
    """
    geometry = recipe.embedding_geometry.model_copy(update={"num_clips": num_clips})
    theirs = store_vectors(describer, geometry, gallery)
    own = theirs if gallery is held_out else store_vectors(describer, geometry, held_out)
    known, found = Labelled.of(held_out.paths), Labelled.of(gallery.paths)
    leave_out = held_out.index.shares_videos(gallery.index)
    hits = {f"top_{k}": retrieval_hits(own, theirs, known, found, k, leave_out=leave_out) for k in (1, 5)}
    scores: Scores = {name: rows.float().tolist() for name, rows in hits.items()}
    return scores | _speed_scores(describer, recipe, learnt, held_out)


def store_vectors(describer: Describer, geometry: ClipGeometry, store: FrameStore) -> Tensor:
    """Unit vectors (videos, D), of evenly spaced clips."""
    rows = []
    at_once = max(_CLIPS_AT_ONCE // geometry.num_clips, 1)
    for first in range(0, len(store.index.videos), at_once):
        videos = store.index.videos[first : first + at_once]
        indices = [
            video.first
            + even_clip_indices(video.frames, geometry.num_clips, geometry.frames_per_clip, geometry.frame_step)
            for video in videos
        ]
        draws = Draws.of([centre_square(video.aspect) for video in videos for _ in range(geometry.num_clips)])
        clips = augment.apply(store.clips(np.concatenate(indices)), draws, geometry.size, _NO_CHANGE)
        rows.append(torch.stack(describer.of_clips(clips).chunk(len(videos))).mean(dim=1))
    return describer.vectors(torch.cat(rows))


class _Triplets(NamedTuple):
    video_ids: Tensor
    anchor: Tensor
    slow: Tensor
    fast: Tensor
    anchor_is_fast: Tensor
    has_speeds: Tensor


def _triplets(describer: Describer, recipe: JointRecipe, store: FrameStore) -> _Triplets:
    """One triplet of each video; vectors (videos, D)."""
    parts = [_Triplets(*part) for part in _triplets_by_batch(describer, recipe, store)]
    every = _Triplets(*(torch.cat(rows) for rows in zip(*parts, strict=True)))
    ids = every.video_ids.cpu().numpy()
    firsts = torch.from_numpy(np.unique(ids, return_index=True)[1]).to(every.video_ids.device)
    return _Triplets(*(rows[firsts] for rows in every))


def _triplets_by_batch(describer: Describer, recipe: JointRecipe, store: FrameStore) -> Iterator[tuple[Tensor, ...]]:
    reader = plain_reader(recipe, store)
    spec = Normalisation()
    for step in range(-(-len(store.index.videos) // reader.maker.plan.num_videos)):
        batch = reader.batch(step, 0.0)
        mean, std = batch.clips.new_tensor([spec.mean, spec.std]).view(2, 3, 1, 1, 1)
        rows = (describer.of_speed(batch.of(role) * std + mean) for role in ("anchor", "slow", "fast"))
        yield batch.video_ids, *rows, batch.anchor_is_fast, batch.has_speeds


def _speed_scores(describer: Describer, recipe: JointRecipe, learnt: FrameStore, held_out: FrameStore) -> Scores:
    tested, fitted = (_triplets(describer, recipe, store) for store in (held_out, learnt))
    same = torch.where(tested.anchor_is_fast[:, None], tested.fast, tested.slow)
    other = torch.where(tested.anchor_is_fast[:, None], tested.slow, tested.fast)
    ranked = _similar(tested.anchor, same) > _similar(tested.anchor, other)
    gaps = (fitted.fast - fitted.slow)[fitted.has_speeds]
    faster = (tested.fast - tested.slow) @ speed_direction(gaps) > 0
    told = tested.has_speeds.tolist()
    return {
        name: [float(right) if counts else None for right, counts in zip(rows.tolist(), told, strict=True)]
        for name, rows in (("speed_ranking", ranked), ("faster_clip", faster))
    }


def _similar(one: Tensor, other: Tensor) -> Tensor:
    """(n,), of (n, D)."""
    return -(one - other).abs()[:, 0] if one.shape[1] == 1 else F.cosine_similarity(one, other)


def speed_direction(gaps: Tensor) -> Tensor:
    """The direction w (D,) along which fast and slow clips differ by 1, by ridge regression.

    gaps: float32 (n, D), n at least 1, the features of each fast clip less those of the slow one. Of several ridges the
    one is taken that errs least on each row when it is left out of the fit.
    """
    scale = gaps.square().mean(dim=0).sqrt().clamp(min=1e-6)
    rows = (gaps / scale).double()
    values, axes = torch.linalg.eigh(rows.T @ rows / len(rows))
    turned = rows @ axes
    errors, found = [], []
    for ridge in _RIDGES:
        weights = turned.mean(dim=0) / (values + ridge)
        own = (turned.square() / (values + ridge)).sum(dim=1) / len(rows)  # what a row adds to its own prediction
        errors.append((((1 - turned @ weights) / (1 - own).clamp(min=1e-6)) ** 2).mean())
        found.append(axes @ weights)
    direction: Tensor = found[int(torch.stack(errors).argmin())].float() / scale
    return direction
