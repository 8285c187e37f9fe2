"""What is done to the frames of a clip: drawn for many clips at once, and carried out on the device.

    forwards     as it was recorded         turned     by one to three quarter turns
    backwards    the last frame first       permuted   four tiles, two by two, in another order
    shuffled     frames in any order        remote     cut elsewhere (``variants.py``)
    exchanged    two of four parts of the clip change places in time

All is drawn for every clip, whatever its operation, so that what follows of a generator hangs on none.
"""

from itertools import permutations
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Operation = Literal["forwards", "backwards", "shuffled", "exchanged", "turned", "permuted", "remote"]
_PARTS = 4
"""Of a clip in time; one of fewer frames has as many."""
_TILINGS = np.array(list(permutations(range(4))))
"""Which tile is shown in each of four places; the first leaves them as they are."""

Names = NDArray[np.str_]
"""An ``Operation`` for each clip."""
Places = NDArray[np.int64]


def frame_orders(rng: np.random.Generator, operations: Names, frames_per_clip: int) -> Places:
    """Which frame of its clip is shown n-th: int64 (..., T), for operations (...)."""
    straight = np.arange(frames_per_clip)
    done, shape = operations[..., None], operations.shape
    shuffled = rng.random((*shape, frames_per_clip)).argsort(axis=-1)
    parts = rng.random((*shape, min(_PARTS, frames_per_clip))).argsort(axis=-1)
    one, other, part = parts[..., :1], parts[..., -1:], straight * parts.shape[-1] // frames_per_clip
    moved = np.where(part == one, other, np.where(part == other, one, part))
    exchanged = moved.argsort(axis=-1, kind="stable")
    orders = {"backwards": straight[::-1], "shuffled": shuffled, "exchanged": exchanged}
    return np.select([done == name for name in orders], list(orders.values()), straight)


def quarter_turns(rng: np.random.Generator, operations: Names) -> Places:
    """Quarter turns against the clock, 0 to 3, int64 as ``operations``; 0 where it is another one."""
    return np.where(operations == "turned", rng.integers(1, 4, size=operations.shape), 0)


def tile_orders(rng: np.random.Generator, operations: Names) -> Places:
    """Which tile is shown in each of four places, numbered row by row: int64 (..., 4), for operations (...)."""
    drawn = rng.integers(1, len(_TILINGS), size=operations.shape)
    return _TILINGS[np.where(operations == "permuted", drawn, 0)]


def reordered(clips: Tensor, orders: Places) -> Tensor:
    """Frames (n, T, ...) in other orders int64 (n, T)."""
    here = torch.from_numpy(orders).to(clips.device)
    return clips[torch.arange(len(clips), device=clips.device)[:, None], here]


def turn(clips: Tensor, turns: Tensor) -> None:
    """Turn square clips (N, 3, T, H, H) in place by quarter turns (N,)."""
    for quarters in (1, 2, 3):
        chosen = turns == quarters
        clips[chosen] = torch.rot90(clips[chosen], quarters, dims=(3, 4))


def permute_tiles(clips: Tensor, orders: Tensor) -> None:
    """Show the tiles of square clips (N, 3, T, H, H) in other orders int64 (N, 4), in place.

    Where H is odd, its last row and column stay.
    """
    chosen, side = (orders != torch.arange(4, device=orders.device)).any(dim=1), clips.shape[-1] // 2
    places = [clips[..., top : top + side, left : left + side] for top in (0, side) for left in (0, side)]
    tiles = torch.stack([place[chosen] for place in places], dim=1)  # (n, 4, 3, T, side, side)
    for place, shown in zip(places, orders[chosen].T, strict=True):
        place[chosen] = tiles[torch.arange(len(tiles), device=tiles.device), shown]
