"""Is a heat map faithful? Hide what it says matters and see the similarity drop, against hiding other areas.

    cells of the map --top share--> hidden blocks of the clip --embed--> drop of the cosine
    the same cells, shifted and mirrored at random ------------------>  drop of the cosine, several times

The random areas have the shape and size of the map's own, so only the place differs. Hidden pixels get the clip's mean
colour, one colour for all frames: a colour for each frame would flicker, and flicker is motion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from rspnet_core.config import Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.explain.similarity_maps import explaining_head, pair_maps, projections
from rspnet_core.models.features import clip_features
from rspnet_core.models.two_head import EncoderModel

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Faithfulness:
    """What hiding a clip's important area does to its similarity to another clip, by one head."""

    cosine: float
    """Of the two clips as they are."""
    drop: float
    """How far the cosine falls when the area that the map ranks highest is hidden; negative when it rises."""
    random_drops: tuple[float, ...]
    """The same for random areas of equal size and shape."""
    area_share: float
    """Share of the clip that was hidden, in whole cells of the feature map."""

    @property
    def random_drop_mean(self) -> float:
        """Mean of ``random_drops``."""
        return float(np.mean(self.random_drops))

    @property
    def random_drop_interval(self) -> tuple[float, float]:
        """The range that holds the middle 95 % of ``random_drops``."""
        low, high = np.quantile(self.random_drops, (0.025, 0.975))
        return float(low), float(high)

    @property
    def beaten_share(self) -> float:
        """Share of random areas whose drop is smaller: 1 is a faithful map, 0.5 says no more than chance."""
        return float(np.mean(np.array(self.random_drops) < self.drop))


def faithfulness(
    model: EncoderModel,
    normalisation: Normalisation,
    clip_i: NDArray[np.uint8],
    clip_j: NDArray[np.uint8],
    head: str,
    *,
    area_share: float = 0.25,
    draws: int = 10,
    seed: int = 0,
) -> Faithfulness:
    """Hide parts of ``clip_i``, embed it again, and compare it with the unchanged ``clip_j``.

    Args:
        model: in eval mode.
        normalisation: of the pixels, as in the model's ``EncoderSpec``.
        clip_i: uint8 (T, H, W, 3), RGB: the clip whose map is judged.
        clip_j: uint8 (T, H, W, 3): the clip it is compared with.
        head: ``motion`` or ``appearance``.
        area_share: share of the clip to hide, above 0 and below 1; at least one cell, and never all.
        draws: random areas to compare with; fewer where the feature map has not that many places.
        seed: of the random areas.

    Raises:
        MissingHead: the encoder has no such head.
        InvalidSetting: a number out of range, a non-linear head, or a feature map of one cell.
    """
    if not 0 < area_share < 1:
        raise InvalidSetting(f"area_share: got {area_share}, allowed is above 0 and below 1")
    if draws < 1:
        raise InvalidSetting(f"draws: got {draws}, allowed is 1 or more")
    layer = explaining_head(model, head)
    features_i, features_j = (clip_features(model, clip[None], normalisation) for clip in (clip_i, clip_j))
    maps = pair_maps(features_i[0], features_j[0], layer)
    important = top_cells(maps.first.cpu().numpy(), area_share)
    masks = [important, *moved(important, draws, np.random.default_rng(seed))]
    hidden = clip_features(model, np.stack([hide(clip_i, mask) for mask in masks]), normalisation)
    cosines = F.cosine_similarity(projections(hidden, layer), projections(features_j, layer))
    drops = [maps.cosine - cosine for cosine in cosines.tolist()]
    return Faithfulness(maps.cosine, drops[0], tuple(drops[1:]), float(important.mean()))


def top_cells(cells: NDArray[np.float32], area_share: float) -> Mask:
    """The cells (T', H', W') with the highest values, as many as make up ``area_share``, but not none and not all."""
    if cells.size < 2:
        raise InvalidSetting(
            "the feature map of these clips has one cell, so no area can be compared with another: "
            "use an encoder with larger or longer clips"
        )
    count = min(max(round(area_share * cells.size), 1), cells.size - 1)
    mask = np.zeros(cells.size, bool)
    mask[np.argsort(-cells, axis=None, kind="stable")[:count]] = True
    return mask.reshape(cells.shape)


def moved(mask: Mask, count: int, rng: np.random.Generator) -> list[Mask]:
    """Up to ``count`` different masks of the same shape elsewhere: cyclic shifts in time and space, some mirrored."""
    places = {
        np.roll(mirrored, shift, axis=(0, 1, 2)).tobytes()
        for mirrored in (mask, mask[:, ::-1], mask[:, :, ::-1], mask[:, ::-1, ::-1])
        for shift in np.ndindex(mask.shape)
    }
    others = sorted(places - {mask.tobytes()})
    chosen = rng.choice(len(others), size=min(count, len(others)), replace=False)
    return [np.frombuffer(others[place], bool).reshape(mask.shape) for place in chosen]


def hide(clip: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Give the blocks of a clip (T, H, W, 3) that a mask (T', H', W') marks the clip's mean colour."""
    cells = [
        np.arange(size) * parts // size for size, parts in zip(clip.shape[:3], mask.shape, strict=True)
    ]  # which cell each frame, row and column lies in
    colour = clip.mean(axis=(0, 1, 2)).round().astype(np.uint8)
    return np.where(mask[np.ix_(*cells)][..., None], colour, clip)
