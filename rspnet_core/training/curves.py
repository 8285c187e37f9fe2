"""A run's figures as a picture: losses, accuracies of the pretext tasks, and retrieval (Figure 3 of the paper)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import DatasetError
from rspnet_core.reports.colours import INK, MUTED
from rspnet_core.training.run_folder import RunFolder, series

_PANELS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Loss", (("loss", "total"), ("rsp_loss", "RSP"), ("avid_loss", "A-VID"), ("vid_loss", "VID"), ("sp_loss", "SP"))),
    (
        "Pretext accuracy",
        (("rsp_accuracy", "speed ranking"), ("avid_top1", "instance top-1"), ("sp_accuracy", "speed")),
    ),
    ("Accuracy of the training clips", (("clip_top1", "top-1"),)),
    (
        "Retrieval among other recordings",
        (
            ("probe_top1", "top-1"),
            ("probe_top5", "top-5"),
            ("probe_motion_top1", "motion, top-1"),
            ("probe_appearance_top1", "appearance, top-1"),
        ),
    ),
)
_COLOURS = ("#0f766e", "#b45309", "#6d28d9", "#be123c", "#1d4ed8")


def draw_curves(folder: RunFolder, out: Path) -> None:
    """Write the figures of a run over its epochs as a PNG. Raises DatasetError where the run has none yet."""
    from matplotlib.figure import Figure  # half a second that only pictures need

    lines = folder.lines()
    panels = [(title, shown) for title, names in _PANELS if (shown := _shown(lines, names))]
    if not panels:
        raise DatasetError(f"{folder.path} has no figures yet; they come every few steps")
    figure = Figure(figsize=(5 * len(panels), 3.6), dpi=130, layout="constrained")
    steps_per_epoch = _steps_per_epoch(lines)
    for axes, (title, shown) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for colour, (label, steps, values) in zip(_COLOURS, shown, strict=False):
            epochs = [step / steps_per_epoch for step in steps]
            marker = "o" if len(steps) < 15 else ""
            axes.plot(epochs, values, color=colour, linewidth=1.6, marker=marker, markersize=4, label=label)
        axes.legend(frameon=False, fontsize=9, labelcolor="linecolor")
        axes.set_title(title, fontsize=11, color=INK, loc="left")
        axes.set_xlabel("epoch", color=MUTED)
        if title != "Loss":
            axes.set_ylim(0, 1)
        axes.margins(x=0.02)
        axes.grid(axis="y", color="#e5e7eb")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=MUTED)
    with replaced_when_complete(out) as temporary:
        figure.savefig(temporary, format="png")


def _shown(
    lines: Sequence[dict[str, Any]], names: tuple[tuple[str, str], ...]
) -> list[tuple[str, list[int], list[float]]]:
    found = [(label, *series(lines, name)) for name, label in names]
    return [(label, steps, values) for label, steps, values in found if steps]


def _steps_per_epoch(lines: Sequence[dict[str, Any]]) -> float:
    last = lines[-1]
    return float(last["step"]) / float(last["epoch"])
