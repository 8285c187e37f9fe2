"""Figure 3: losses of a long pre-training, and the accuracy after fine-tuning from its checkpoints."""

from functools import partial
from pathlib import Path
from typing import Any

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import InvalidSetting
from rspnet_core.reports.colours import INK, MUTED
from rspnet_core.tables.jobs import Plan, carry_on, check, tested
from rspnet_core.tables.rows import OBJECTIVES, Row
from rspnet_core.tables.steps import Step, once
from rspnet_core.training.listener import Listener
from rspnet_core.training.run_folder import RunFolder, series

_LOSSES = {"rsp_loss": ("RSP", "#0f766e"), "avid_loss": ("A-VID", "#b45309")}


def run_figure(plan: Plan, backbone: str, listener: Listener) -> dict[str, Any]:
    """Pre-train by RSP + A-VID, keep the encoder every ``plan.keep_every`` epochs, fine-tune and test from each.

    Returns ``points`` (epoch, top_1, interval) and ``losses`` (name -> epochs and values). Raises as ``run_row``.
    """
    row = Row("RSPNet", backbone, OBJECTIVES["RSP + A-VID"])
    folder, seed = plan.out / f"figure3.{backbone}", plan.seeds[0]
    assert plan.keep_every is not None
    recipe = plan.pretrained(row, seed)
    if plan.keep_every > recipe.epochs:
        raise InvalidSetting(f"--every {plan.keep_every}: the pre-training has {recipe.epochs} epochs; give fewer")
    check(plan, [row])
    run = RunFolder(folder / "pretrain")
    carry_on(plan, Step(run.path, recipe), listener)
    points = []
    for epoch in range(plan.keep_every, recipe.epochs + 1, plan.keep_every):
        tuned = plan.finetuned(row, seed, plan.folds[0], str(run.kept(epoch).resolve()))
        step = Step(folder / f"epoch{epoch}", tuned)
        test = once(folder / f"epoch{epoch}.json", [step], partial(tested, plan, step, listener))
        interval = test["intervals"]["top_k"]["1"]
        points.append({"epoch": epoch, "top_1": test["top_k"]["1"], "interval": interval})
    lines = run.lines()
    steps_per_epoch = lines[-1]["step"] / lines[-1]["epoch"]
    losses = {}
    for name in _LOSSES:
        steps, values = series(lines, name)
        losses[name] = {"epochs": [step / steps_per_epoch for step in steps], "values": values}
    return {"figure": 3, "backbone": backbone, "points": points, "losses": losses}


def draw_figure(document: dict[str, Any], out: Path) -> None:
    """The losses on the left axis, the accuracy with its intervals on the right one, as a PNG."""
    from matplotlib.figure import Figure  # half a second that only pictures need

    figure = Figure(figsize=(7.2, 4), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    for name, (label, colour) in _LOSSES.items():
        line = document["losses"][name]
        axes.plot(line["epochs"], line["values"], color=colour, linewidth=1.6, label=f"{label} loss")
    right = axes.twinx()
    points = document["points"]
    epochs, tops = [point["epoch"] for point in points], [100 * point["top_1"] for point in points]
    low_high = [point["interval"] or (point["top_1"], point["top_1"]) for point in points]
    errors = [
        [top - 100 * low for top, (low, _) in zip(tops, low_high, strict=True)],
        [100 * high - top for top, (_, high) in zip(tops, low_high, strict=True)],
    ]
    right.errorbar(epochs, tops, yerr=errors, color="#6d28d9", marker="o", capsize=3, label="top-1 after fine-tuning")
    right.set_ylim(0, 100)
    right.set_ylabel("top-1, %", color=MUTED)
    axes.set_ylabel("loss", color=MUTED)
    axes.set_xlabel("epoch of pre-training", color=MUTED)
    axes.set_title("Losses, and accuracy after fine-tuning", fontsize=11, color=INK, loc="left")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9, labelcolor="linecolor")
    for each in (axes, right):
        each.spines[["top"]].set_visible(False)
        each.tick_params(colors=MUTED)
    with replaced_when_complete(out) as temporary:
        figure.savefig(temporary, format="png")
