"""The retrieval report's plot of accuracy over k."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rspnet_core.reports.svg_plots import blank_figure, plain, to_svg


@dataclass(frozen=True)
class Line:
    """One line of the accuracy plot, with an optional band of intervals."""

    values: dict[int, float]
    colour: str
    dashes: str = "-"
    width: float = 2.0
    markers: bool = False
    intervals: dict[int, tuple[float, float]] | None = None


def curve_svg(lines: Sequence[Line], *, name: str, width: float, height: float) -> str:
    """Top-k accuracy (0 to 1) over k, on a logarithmic axis. ``width`` and ``height`` are in points."""
    figure = blank_figure(width, height)
    axes = figure.add_subplot()
    ks = sorted({k for line in lines for k in line.values})
    for line in lines:
        own = sorted(line.values)
        axes.plot(
            own,
            [100 * line.values[k] for k in own],
            color=line.colour,
            linestyle=line.dashes,
            linewidth=line.width,
            marker="o" if line.markers else "",
            markersize=5,
        )
        if line.intervals:
            low, high = (np.array([100 * line.intervals[k][side] for k in own]) for side in (0, 1))
            axes.fill_between(own, low, high, color=line.colour, alpha=0.16, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.minorticks_off()
    axes.set_xlabel("k, nearest videos looked at")
    axes.set_ylabel("queries with a hit, %")
    axes.set_ylim(0, 102)  # room for a marker at 100
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y")
    plain(axes)
    return to_svg(figure, name)
