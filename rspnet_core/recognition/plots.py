"""The plots of a recognition report: the accuracy of each class, and what probabilities are worth."""

from collections.abc import Mapping, Sequence
from typing import Any

from rspnet_core.reports.svg_plots import (
    ACCENT,
    INK,
    LABELLED_CLASSES,
    MUTED,
    WARM,
    blank_figure,
    plain,
    to_svg,
)

_PERCENT_TICKS = range(0, 101, 20)


def accuracy_svg(
    accuracies: Sequence[tuple[str, float]], *, mean: float, chance: float, width: float, name: str
) -> str:
    """A bar for each class and its accuracy (0 to 1), in the order given; warm where below ``mean``.

    Vertical lines show ``mean`` (dashed) and ``chance`` (dotted). ``width`` is in points; the height follows the
    classes, whose names are left out where there are too many to read.
    """
    labelled = len(accuracies) <= LABELLED_CLASSES
    figure = blank_figure(width, 70 + 19 * len(accuracies) if labelled else 560)
    axes = figure.add_subplot()
    places = range(len(accuracies))
    colours = [WARM if accuracy < mean else ACCENT for _, accuracy in accuracies]
    axes.barh(places, [100 * accuracy for _, accuracy in accuracies], color=colours, height=0.7 if labelled else 1.0)
    for share, dashes in ((mean, "--"), (chance, ":")):
        axes.axvline(100 * share, color=INK, linestyle=dashes, linewidth=1.4)
    axes.set_yticks(places if labelled else [])
    if labelled:
        axes.set_yticklabels([label for label, _ in accuracies], parse_math=False)
    axes.set_ylim(len(accuracies) - 0.4, -0.6)  # the first on top
    axes.set_xlim(0, 100)
    axes.set_xticks(_PERCENT_TICKS)
    axes.set_xlabel("videos recognised, %")
    axes.grid(axis="x")
    plain(axes)
    return to_svg(figure, name)


def reliability_svg(bins: Sequence[Mapping[str, Any]], *, name: str) -> str:
    """Accuracy over the mean top probability of each filled bin, its distance from the diagonal, and the videos."""
    figure = blank_figure(440, 440)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [found for found in bins if found["videos"]]
    confidences = [100 * found["confidence"] for found in filled]
    accuracies = [100 * found["accuracy"] for found in filled]
    top.plot([0, 100], [0, 100], color=MUTED, linestyle="--", linewidth=1.2)
    top.vlines(confidences, confidences, accuracies, color=WARM, linewidth=2.4)
    most = max(found["videos"] for found in filled)
    top.scatter(confidences, accuracies, [12 + 90 * found["videos"] / most for found in filled], color=ACCENT, zorder=3)
    top.set_ylim(-3, 103)  # room for a marker at 0 and at 100
    top.set_yticks(_PERCENT_TICKS)
    top.set_ylabel("videos recognised, %")
    edges = [100 * found["low"] for found in bins]
    bottom.bar(edges, [found["videos"] for found in bins], width=100 / len(bins), align="edge", color=ACCENT)
    bottom.yaxis.get_major_locator().set_params(integer=True, nbins=3)
    bottom.set_ylabel("videos")
    bottom.set_xlim(-1, 102)
    bottom.set_xticks(_PERCENT_TICKS)
    bottom.set_xlabel("probability of the predicted class, %")
    for axes in (top, bottom):
        axes.grid(axis="y")
        plain(axes)
    figure.align_ylabels()
    return to_svg(figure, name)
