"""Takes: something moves in front of one wall, in each take otherwise."""

import numpy as np
from numpy.typing import NDArray


def take(seed: int, *, wall: int = 0, frames: int = 70, side: int = 96, worn: int = 0) -> NDArray[np.uint8]:
    """uint8 (frames, side, side, 3): two bright patches of which each wanders about a place of its own.

    ``seed`` decides the ways, ``worn`` the pattern on the patches, which small pictures hardly show.
    """
    picture = np.kron(np.random.default_rng(wall).uniform(40, 160, (6, 6)), np.ones((side // 6, side // 6)))
    rows, columns = np.mgrid[:side, :side]
    time = np.arange(frames)
    moves = np.random.default_rng(100 + seed)
    pattern = np.random.default_rng(worn).uniform(0.2, 1.8, (side // 8, side // 8))
    video = np.repeat(picture[None], frames, axis=0)
    for place in (0.35, 0.65):
        periods, phases = moves.uniform(15, 37, (2, 1)), moves.uniform(0, 6.3, (2, 1))
        x, y = (place + 0.12 * np.sin(time * 6.283 / periods + phases)) * side
        for frame, left, top in zip(range(frames), x, y, strict=True):
            across, down = columns - left, rows - top
            near = np.exp(-(across**2 + down**2) / (2 * (side / 12) ** 2))
            places = (((away + side) // 8).astype(int) % len(pattern) for away in (down, across))
            spots = pattern[tuple(places)]
            video[frame] += 70 * near * spots
    return np.repeat(np.clip(video, 0, 255).round().astype(np.uint8)[..., None], 3, axis=-1)
