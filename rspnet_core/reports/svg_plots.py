"""Plots as inline SVG that follow the page's colours, light or dark.

matplotlib draws with stand-in colours, which are then replaced by CSS variables of the page; texts stay texts.
"""

import io
import re
import warnings
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

INK, MUTED, GRID, ACCENT, WARM, VIOLET = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", ACCENT: "accent", WARM: "warm", VIOLET: "violet"}
LABELLED_CLASSES = 40
"""Beyond these, class names along a plot would be too small to read."""
_ACCENT_RGB = (0.05, 0.58, 0.53)  # visible on light and on dark, unlike a variable usable inside a bitmap


def blank_figure(width: float, height: float) -> Figure:
    """A figure of this size in points, whose parts make room for each other."""
    return Figure(figsize=(width / 72, height / 72), layout="constrained")


def confusion_svg(labels: Sequence[str], counts: NDArray[np.int64], *, rows: str, columns: str, name: str) -> str:
    """Shares of each row of ``counts`` (C, C): the darker, the more. ``rows`` and ``columns`` say what these are."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, where=totals > 0, out=np.zeros(counts.shape))
    picture = np.empty((*counts.shape, 4))
    picture[..., :3] = _ACCENT_RGB
    picture[..., 3] = np.sqrt(shares)  # rare confusions stay visible
    labelled = len(labels) <= LABELLED_CLASSES
    side = max(460, 200 + 18 * len(labels)) if labelled else 560
    figure = blank_figure(side, side)
    axes = figure.add_subplot()
    axes.imshow(picture, interpolation="none")
    for axis, rotation in ((axes.xaxis, 90), (axes.yaxis, 0)):
        axis.set_ticks(range(len(labels)) if labelled else [])
        if labelled:
            axis.set_ticklabels(list(labels), rotation=rotation, parse_math=False)
    axes.set_xlabel(columns)
    axes.set_ylabel(rows)
    plain(axes)
    for spine in axes.spines.values():
        spine.set(visible=True, color=GRID)
    return to_svg(figure, name)


def plain(axes: Axes) -> None:
    """Take away what is not data: no frame, muted ticks and labels, a faint grid behind."""
    axes.patch.set_alpha(0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, length=0, labelsize=11, pad=6)
    axes.set_axisbelow(True)
    for gridline in [*axes.get_xgridlines(), *axes.get_ygridlines()]:
        gridline.set_color(GRID)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=MUTED, fontsize=11)
    axes.xaxis.labelpad = axes.yaxis.labelpad = 8


def to_svg(figure: Figure, name: str) -> str:
    """The figure as an ``<svg>`` element: no fixed size, no addresses, ids that are unique to ``name``."""
    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # texts stay texts, and the browser has more fonts
        figure.savefig(stream, format="svg", transparent=True)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, rest = svg.split(">", 1)
    head = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", head)
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r'(url\(|xlink:href=")#', rf"\1#{name}-", rest)
    for stand_in, variable in _VARIABLES.items():
        rest = rest.replace(stand_in, f"var(--{variable})")
    return f"{head}>{rest}"
