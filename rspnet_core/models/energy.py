"""Oriented motion energy, colours and edges as an encoder: nothing in it was learnt, so that it is the bar for others.

    clips --40 x 40 pixels--> energy_maps --5 times x 20 x 20 places--> feature map (N, 39, 5, 20, 20)
        8 motion   --4 x 4 cells of the picture (whole)------------------+--> motion, 640
                   --8 x 8 cells of the square around it (aligned)-------+
        4 edges    --4 x 4 cells of the picture--------------------------+--> appearance, 496
        27 colours --4 x 4 cells of the picture--------------------------+        both side by side: backbone, 1136

Cells hold sums over places and means over time and over the clips of a video. *Then* each is square-rooted (Hellinger:
what is strongest does not decide alone) and each block gets unit length; the square root before the mean over clips
costs retrieval up to 13 points. The square is centred on the energy's centroid and reaches 2 standard deviations: where
somebody stands in the picture, and how large, then matters little.

Settings were chosen on train sides alone, each recording left out of its own gallery; figures: `docs/results.md`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.config import Pooling
from rspnet_core.models.backbone import PartsBackbone
from rspnet_core.models.energy_maps import (
    COLOURS,
    DIRECTIONS,
    LUMA,
    ORIENTATIONS,
    TEXTURE_NOISE,
    colour_shares,
    edge_energy,
    energy_along_axes,
    grey_of,
)

FORMULA = 1
"""Changed when the vectors of a video change, so that those of two formulas never mix in a library."""
_PIXELS, _GRID, _TIMES = 40, 20, 5
_CLIPS_AT_ONCE = 1
"""On a CPU: maps that stay in its cache, and too small to be split over threads, which would wait for busy cores (two
threads took ten times as long as one, beside decoders; so what follows has no pooling or padding of PyTorch's, which
are always split)."""
_REACH = 2.0
"""Half the side of the aligned square, in standard deviations of the energy's place."""
_SMALLEST = 0.25
"""Least side of that square, as part of the picture's."""
_MOTION_SHARE = 0.7
"""Of motion in the cosine of the backbone's part."""
_SMOOTHED = 2
"""Times that a heat map of motion is smoothed."""
_FLOOR = 1e-7
"""Added to each cell: a still video gets a finite vector. A tenth of all cells of real clips is below 1e-4."""


@dataclass(frozen=True)
class _Block:
    """Cells of some channels of the feature map, and what part of the cosine they make up."""

    part: str
    channels: slice
    cells: int
    share: float
    aligned: bool = False

    @property
    def size(self) -> int:
        return len(range(DIRECTIONS + ORIENTATIONS + COLOURS)[self.channels]) * self.cells * self.cells


_MOTION = slice(0, DIRECTIONS)
_EDGES = slice(DIRECTIONS, DIRECTIONS + ORIENTATIONS)
_COLOURS = slice(DIRECTIONS + ORIENTATIONS, DIRECTIONS + ORIENTATIONS + COLOURS)
_BLOCKS = (
    _Block("motion", _MOTION, cells=4, share=0.1),
    _Block("motion", _MOTION, cells=8, share=0.9, aligned=True),
    _Block("appearance", _EDGES, cells=4, share=0.5),
    _Block("appearance", _COLOURS, cells=4, share=0.5),
)


def _blocks(part: str) -> list[_Block]:
    return [block for block in _BLOCKS if block.part == part]


_SIZES = {part: sum(block.size for block in _blocks(part)) for part in ("motion", "appearance")}
MOTION_SIZE = _SIZES["motion"]
"""Length of the motion part."""


class Energy(PartsBackbone):
    """``energy``: clips float32 (B, 3, T, H, W), RGB in 0 to 1, not normalised, T at least 2 -> (B, 39, 5, 20, 20).

    Fewer frames or pixels give fewer times or places. Without parameters; its one tensor states the settings, so that
    another formula has another fingerprint.
    """

    channels = DIRECTIONS + ORIENTATIONS + COLOURS
    min_frames = 2
    min_size = 8
    is_volumetric = False
    is_float32_only = True
    is_traceable = False
    titles: ClassVar = {"motion": "Motion (energy)", "appearance": "Appearance (look)"}
    settings: Tensor

    def __init__(self) -> None:
        super().__init__()
        shares = [value for block in _BLOCKS for value in (block.cells, block.share)]
        numbers = [FORMULA, _PIXELS, _GRID, _TIMES, _REACH, _SMALLEST, _MOTION_SHARE, TEXTURE_NOISE, *shares]
        self.register_buffer("settings", torch.tensor(numbers))

    def part_sizes(self) -> dict[str, int]:
        """1136, 640 and 496 numbers."""
        return {"backbone": sum(_SIZES.values()), **_SIZES}

    def forward(self, clips: Tensor) -> Tensor:
        """Energy in grey a frame, gradients in grey a pixel, shares of colours: (B, 39, T', H', W'), from 0."""
        with torch.autocast(clips.device.type, enabled=False):
            return torch.cat([self._maps(some) for some in _few_at_once(clips)])

    def motion_vector(self, clips: Tensor) -> Tensor:
        """The motion part alone of the clips of one video: uint8 (N, T, H, W, 3), RGB -> float32 (640,), unit length.

        What ``vectors`` gives, for half the work; InvalidSetting for clips of less than two frames.
        """
        self.check(clips[:1].permute(0, 4, 1, 2, 3).float())
        count, times, height, width, _ = clips.shape
        down, across = _shrinking(height, width, _side((height, width)), clips.device)
        # Grey and fewer columns by one product: both are weighted sums of the numbers of a row.
        luma = torch.tensor(LUMA, device=clips.device) / 255
        mix = (across.T[:, None] * luma[:, None]).flatten(0, 1)  # (width * 3, side)
        grey = down @ (clips.reshape(-1, width * 3).float() @ mix).view(count, times, height, -1)
        cells = _part_cells(self._motion(grey), "motion")
        return _finished(cells.mean(dim=0, dtype=torch.float64), "motion").float()

    def _maps(self, clips: Tensor) -> Tensor:
        small = _resized(clips.float(), _side(clips.shape[3:]))
        motion = self._motion(grey_of(small))
        times, grid = motion.shape[2], motion.shape[3]
        pictures = _averaged(small, times)
        edges = _resized(edge_energy(grey_of(pictures)), grid)
        return torch.cat([motion, edges, colour_shares(_resized(pictures, grid))], dim=1)

    def _motion(self, grey: Tensor) -> Tensor:
        times, grid = min(_TIMES, grey.shape[1] - 1), min(_GRID, grey.shape[2])
        averaged = []
        for some in _few_at_once(grey):
            pairs = ([_averaged(way[:, None], times) for way in pair] for pair in energy_along_axes(some))
            ahead, behind = zip(*pairs, strict=True)
            averaged.append(torch.cat(ahead + behind, dim=1))
        return _resized(torch.cat(averaged), grid)

    def pool(self, features: Tensor, pooling: Pooling) -> dict[str, Tensor]:
        """Cells of motion (N, 640) and appearance (N, 496) before the square root, whatever ``pooling`` says."""
        return {part: _part_cells(features, part) for part in _SIZES}

    def finish(self, pooled: dict[str, Tensor]) -> dict[str, Tensor]:
        """Square root, unit length of each block, blocks and then parts weighted; (..., length) of all three parts."""
        motion, appearance = (_finished(pooled[part], part) for part in ("motion", "appearance"))
        both = [motion * math.sqrt(_MOTION_SHARE), appearance * math.sqrt(1 - _MOTION_SHARE)]
        return {"backbone": torch.cat(both, dim=-1), "motion": motion, "appearance": appearance}

    def shares(self, part: str, features_i: Tensor, features_j: Tensor) -> Tensor:
        """What each place of clip i adds to the cosine: sqrt(a b) = a sqrt(b / a), split as a, the cell's sum, is.

        Motion is smoothed over neighbours, which leaves the mean: beside its peaks all else would look dark.
        """
        own, other = (self.pool(each[None].float(), "mean")[part][0] for each in (features_i, features_j))
        shares = torch.zeros(features_i.shape[1:], device=features_i.device)
        start = 0
        for block in _blocks(part):
            cells_i, cells_j = (cells[start : start + block.size] + _FLOOR for cells in (own, other))
            weights = (cells_j / cells_i).sqrt() * (block.share / (cells_i.sum() * cells_j.sum()).sqrt())
            shares += _FLOOR * weights.sum()
            shares += _returned(weights, features_i[None, block.channels].float(), block)
            start += block.size
        for _ in range(_SMOOTHED if part == "motion" else 0):
            shares = _smoothed(shares)
        return shares


def _few_at_once(clips: Tensor) -> Sequence[Tensor]:
    return torch.split(clips, _CLIPS_AT_ONCE if clips.device.type == "cpu" else len(clips))


def _side(size: Sequence[int]) -> int:
    return min(_PIXELS, *size)


def _resized(maps: Tensor, side: int) -> Tensor:
    """Maps (..., H, W) -> (..., side, side): halved as often as that leaves enough, then by means of areas."""
    down, across = _shrinking(*maps.shape[-2:], side, maps.device)
    return down @ (maps @ across.T)


def _averaged(maps: Tensor, times: int) -> Tensor:
    """Maps (B, C, T, H, W) -> (B, C, times, H, W): means of equal parts of the time, a frame on a border in both."""
    return (_means(maps.shape[2], times, maps.device) @ maps.flatten(3)).view(*maps.shape[:2], -1, *maps.shape[3:])


@cache
def _shrinking(height: int, width: int, side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """What :func:`_resized` does, as matrices: (side, height) down and (side, width) across."""
    with torch.inference_mode(False):  # kept: gradients may pass by them later
        down, across = torch.eye(height, device=device), torch.eye(width, device=device)
        while min(len(down), len(across)) >= 2 * side and len(down) % 2 == len(across) % 2 == 0:
            down, across = ((lines[::2] + lines[1::2]) / 2 for lines in (down, across))
        return _means(len(down), side, device) @ down, _means(len(across), side, device) @ across


@cache
def _means(length: int, parts: int, device: torch.device) -> Tensor:
    """(parts, length): the mean of each of equal parts of a line, a place on a border in both."""
    with torch.inference_mode(False):
        return F.adaptive_avg_pool1d(torch.eye(length, device=device), parts).T


def _smoothed(maps: Tensor) -> Tensor:
    """(T, H, W) by weights of 1/4, 1/2 and 1/4 along each axis; a border continues as it ends, so that sums stay."""
    padded = F.pad(maps[None, None], (1,) * 6, mode="replicate")[0, 0]
    for axis in range(3):
        before, here, after = (padded.narrow(axis, start, padded.shape[axis] - 2) for start in range(3))
        padded = (before + 2 * here + after) / 4
    return padded


def _part_cells(features: Tensor, part: str) -> Tensor:
    return torch.cat([_pooled(features[:, block.channels], block) for block in _blocks(part)], dim=1)


def _pooled(features: Tensor, block: _Block) -> Tensor:
    """Channels of a feature map (N, C, T, H, W) -> cells (N, C * cells^2): sums over places, means over time."""
    down, across = _cells(features, block)
    over_time = features.float().mean(dim=2)
    return (down[:, None] @ over_time @ across[:, None].mT).flatten(1)


def _returned(weights: Tensor, features: Tensor, block: _Block) -> Tensor:
    """Weights of cells (C * cells^2,) -> of each place (T, H, W) of one clip (1, C, T, H, W), times what it holds.

    The mean over places is the inner product of weights and cells.
    """
    down, across = _cells(features, block)
    weights = weights.view(-1, block.cells, block.cells)
    of_places = down[0].mT @ weights @ across[0]  # (C, H, W)
    return (features[0] * of_places[:, None]).sum(dim=0) * (features.shape[3] * features.shape[4])


def _finished(pooled: Tensor, part: str) -> Tensor:
    sizes = [block.size for block in _blocks(part)]
    blocks = zip(torch.split(pooled, sizes, dim=-1), _blocks(part), strict=True)
    return torch.cat(
        [F.normalize((cells + _FLOOR).sqrt(), dim=-1) * math.sqrt(block.share) for cells, block in blocks], dim=-1
    )


def _cells(features: Tensor, block: _Block) -> tuple[Tensor, Tensor]:
    """How much of each row (N, cells, H) and each column (N, cells, W) of (N, C, T, H, W) lies in each cell."""
    height, width = features.shape[3:]
    clips = len(features)
    if not block.aligned:
        ends = torch.zeros(clips, device=features.device)
        return _overlaps(ends, ends + height, block.cells, height), _overlaps(ends, ends + width, block.cells, width)
    energy = features.float().sum(dim=(1, 2)) + _FLOOR  # (N, H, W)
    energy = energy / energy.sum(dim=(1, 2), keepdim=True)
    (row, row_variance), (column, column_variance) = _moments(energy.sum(dim=2)), _moments(energy.sum(dim=1))
    reach = (_REACH * ((row_variance + column_variance) / 2).sqrt()).clamp(min=_SMALLEST / 2 * height)
    return (
        _overlaps(row - reach, row + reach, block.cells, height),
        _overlaps(column - reach, column + reach, block.cells, width),
    )


def _moments(shares: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (N,) of a place on a line, by its shares (N, length), sum 1; the n-th ends at n + 1."""
    places = torch.arange(shares.shape[1], device=shares.device) + 0.5
    mean = (shares * places).sum(dim=1)
    return mean, (shares * (places - mean[:, None]).square()).sum(dim=1)


def _overlaps(start: Tensor, end: Tensor, cells: int, length: int) -> Tensor:
    """Parts (N, cells, length), 0 to 1, of pixels 0 to ``length`` in equal cells from ``start`` to ``end`` (N,)."""
    edges = start[:, None] + (end - start)[:, None] * torch.arange(cells + 1, device=start.device) / cells
    pixels = torch.arange(length, device=start.device, dtype=edges.dtype)
    inside = torch.minimum(edges[:, 1:, None], pixels + 1) - torch.maximum(edges[:, :-1, None], pixels)
    return inside.clamp(0, 1)
