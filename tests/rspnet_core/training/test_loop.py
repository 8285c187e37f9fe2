"""The loop by itself: a line is fitted, and somebody judges each epoch."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from rspnet_core.training.loop import Loop
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.schedule import CosineSchedule
from rspnet_core.training.task import Judgement, Outcome


class Line:
    """Fits a line; remembers whose outcomes it was handed."""

    def __init__(self) -> None:
        self.trained: nn.Module = nn.Linear(1, 1)
        self.modules = {"line": self.trained}
        self.handed: list[int] = []

    def inputs(self, batch: Tensor) -> Tensor:
        return batch

    def start(self, batch: Tensor) -> None:
        pass

    def loss(self, batch: Tensor, module: nn.Module) -> Outcome[int]:
        return Outcome((module(batch) - 2 * batch).square().mean(), {}, carried=int(batch[0]))

    def after_step(self, outcome: Outcome[int]) -> None:
        self.handed.append(outcome.carried)


class Numbers:
    waited_seconds = 0.0

    def batches(self, first_step: int, num_steps: int) -> Iterator[tuple[Tensor, int]]:
        for step in range(first_step, first_step + num_steps):
            yield torch.full((2, 1), float(step)), 2


class Seen:
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.best: list[bool] = []

    def interval(self, figures: dict[str, Any]) -> None:
        self.lines.append(figures)

    def checkpoint(self, *, is_best: bool) -> None:
        self.best.append(is_best)


def run(out: Path, judge: Callable[[int], Judgement]) -> tuple[Loop, Line, Seen]:
    task, seen = Line(), Seen()
    loop = Loop(
        Fabric(accelerator="cpu", devices=1),
        task,
        Numbers(),
        RunFolder(out),
        CosineSchedule(0.01, 0.0, num_steps=6),
        steps_per_epoch=2,
        new_optimiser=lambda module: torch.optim.SGD(module.parameters(), lr=0.01),
        watcher=seen,
        judge=judge,
    )
    loop.run(resume=False)
    return loop, task, seen


def test_the_epoch_of_the_highest_score_is_the_best_whatever_its_figures_are_called(tmp_path: Path) -> None:
    scores = {1: 0.5, 2: 0.25, 3: 0.75}
    loop, _, seen = run(tmp_path, lambda epoch: Judgement({"order_top1": scores[epoch]}, scores[epoch]))
    assert seen.best == [True, True]  # of epochs 1 and 3
    assert loop.best_score == 0.75
    assert [line["order_top1"] for line in seen.lines if "order_top1" in line] == [0.5, 0.25, 0.75]


@pytest.mark.parametrize("judgement", [Judgement(), Judgement({"probe_top1": 0.5})])
def test_without_a_score_no_epoch_is_the_best(tmp_path: Path, judgement: Judgement) -> None:
    _, _, seen = run(tmp_path, lambda epoch: judgement)
    assert seen.best == [False, False]  # the first, and the last


def test_each_step_is_followed_by_its_own_outcome(tmp_path: Path) -> None:
    _, task, _ = run(tmp_path, lambda epoch: Judgement())
    assert task.handed == [0, 1, 2, 3, 4, 5]
