"""Is a heat map faithful? Hide what it says matters and see the similarity drop, against hiding other areas.

    cells of the map --top share--> hidden blocks of the clip --embed--> drop of the cosine
    the same cells, shifted and mirrored at random ------------------>  drop of the cosine, a hundred times
    every pixel up to one level brighter or darker ------------------>  changes of the cosine that mean nothing

The random areas have the shape and size of the map's own, so only the place differs; where a feature map is too small
for a hundred of them, other shapes of that size are drawn too. Hidden pixels get the clip's mean
colour, one colour for all frames: a colour for each frame would flicker, and flicker is motion.

Beyond the one area, the cosine is followed while more and more of what the map ranks highest is hidden (deletion) or
shown (insertion), as by Petsiuk, Das and Saenko, RISE, 2018, section 4.3.
"""

from math import comb

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F

from rspnet_core.config import Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.explain.similarity_maps import explaining_head, pair_maps, projections
from rspnet_core.explain.verdict import CURVE_SHARES, Faithfulness
from rspnet_core.models.features import clip_features
from rspnet_core.models.two_head import EncoderModel

Mask = NDArray[np.bool_]

_NOISE_DRAWS = 8


def faithfulness(
    model: EncoderModel,
    normalisation: Normalisation,
    clip_i: NDArray[np.uint8],
    clip_j: NDArray[np.uint8],
    head: str,
    *,
    area_share: float = 0.25,
    draws: int = 100,
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
        draws: random areas to compare with; fewer where the feature map has not that many.
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
    cells, rng = maps.first.cpu().numpy(), np.random.default_rng(seed)
    important = top_cells(cells, area_share)
    elsewhere = moved(important, draws, rng)
    steps = [top_cells(cells, share) for share in CURVE_SHARES[1:-1]]
    changed = [
        *(
            hide(clip_i, mask)
            for mask in (important, *elsewhere, *steps, *(~step for step in steps), np.ones_like(important))
        ),
        *(changed_by_a_level(clip_i, rng) for _ in range(_NOISE_DRAWS)),
    ]
    features = clip_features(model, np.stack(changed), normalisation)
    cosines = F.cosine_similarity(projections(features, layer), projections(features_j, layer)).tolist()
    drops = tuple(maps.cosine - cosine for cosine in cosines[: 1 + len(elsewhere)])
    curves = cosines[len(drops) : len(drops) + 2 * len(steps)]
    nothing, *noisy = cosines[len(drops) + 2 * len(steps) :]
    return Faithfulness(
        cosine=maps.cosine,
        drop=drops[0],
        random_drops=drops[1:],
        area_share=float(important.mean()),
        noise_floor=max(abs(maps.cosine - cosine) for cosine in noisy),
        deletion=(maps.cosine, *curves[: len(steps)], nothing),
        insertion=(nothing, *curves[len(steps) :], maps.cosine),
    )


def changed_by_a_level(clip: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Each value of a clip one more, one less or the same, by chance; between 0 and 255."""
    changed: NDArray[np.int16] = clip + rng.integers(-1, 2, clip.shape, np.int16)
    return changed.clip(0, 255).astype(np.uint8)


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
    """Up to ``count`` different masks with as many cells: of the same shape elsewhere, then of any shape.

    Of the same shape are cyclic shifts in time and space, some mirrored. There are fewer than ``count`` where there are
    not that many ways to choose so many cells.
    """
    places = {
        np.roll(mirrored, shift, axis=(0, 1, 2)).tobytes()
        for mirrored in (mask, mask[:, ::-1], mask[:, :, ::-1], mask[:, ::-1, ::-1])
        for shift in np.ndindex(mask.shape)
    }
    others = sorted(places - {mask.tobytes()})
    chosen = [others[place] for place in rng.choice(len(others), size=min(count, len(others)), replace=False)]
    possible = comb(mask.size, int(mask.sum())) - 1
    seen = {mask.tobytes(), *chosen}
    while len(chosen) < min(count, possible):
        drawn = rng.permuted(mask.ravel()).tobytes()
        if drawn not in seen:
            seen.add(drawn)
            chosen.append(drawn)
    return [np.frombuffer(bits, bool).reshape(mask.shape) for bits in chosen]


def hide(clip: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
    """Give the blocks of a clip (T, H, W, 3) that a mask (T', H', W') marks the clip's mean colour."""
    cells = [
        np.arange(size) * parts // size for size, parts in zip(clip.shape[:3], mask.shape, strict=True)
    ]  # which cell each frame, row and column lies in
    colour = clip.mean(axis=(0, 1, 2)).round().astype(np.uint8)
    return np.where(mask[np.ix_(*cells)][..., None], colour, clip)
