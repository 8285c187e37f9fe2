"""Maps of the next blocks, predicted place by place: against loops, what is a negative, and that it can be learnt."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.pretext.tasks.dense_prediction import DensePrediction
from rspnet_core.pretext.tasks.objective import Seen
from tests.rspnet_core.pretext.tasks.test_classic_tasks import (
    CHANNELS,
    SHORT,
    SIDES,
    R,
    cross_entropy,
    numbers,
    seen_of,
    standardised,
    task_of,
)

BLOCKS, SEEN = 5, 3
Vectors = dict[tuple[int, ...], np.ndarray]


def dense_task() -> DensePrediction:
    task = task_of("dense_prediction")
    assert isinstance(task, DensePrediction)
    return task


def gathered(cell: nn.GRUCell, vector: np.ndarray, state: np.ndarray) -> np.ndarray:
    """A step of a gated recurrent unit (Cho et al., 2014), from the weights alone."""
    from_input, from_state = (
        (numbers(weight) @ values + numbers(bias)).reshape(3, -1)
        for weight, bias, values in (
            (cell.weight_ih, cell.bias_ih, vector),
            (cell.weight_hh, cell.bias_hh, state),
        )
    )
    reset, update = (1 / (1 + np.exp(-(from_input[n] + from_state[n]))) for n in (0, 1))
    return (1 - update) * np.tanh(from_input[2] + reset * from_state[2]) + update * state


def slow(task: DensePrediction, seen: Seen) -> tuple[Vectors, Vectors]:
    """Predictions and targets by (block, video, row, column), place by place."""
    maps = numbers(seen.maps).reshape(BLOCKS, R, CHANNELS, *SIDES)
    predictions, targets = {}, {}
    first, _, second = task.predict
    for video, row, column in np.ndindex(R, *SIDES):
        state = np.zeros(CHANNELS)
        for block in range(SEEN):
            state = gathered(task.gather, maps[block, video, :, row, column], state)
        for block in range(SEEN, BLOCKS):
            hidden = np.maximum(numbers(first.weight) @ state + numbers(first.bias), 0)  # type: ignore[operator, arg-type]
            found = numbers(second.weight) @ hidden + numbers(second.bias)  # type: ignore[operator, arg-type]
            state = gathered(task.gather, np.maximum(found, 0), state)
            predictions[block, video, row, column] = found
            targets[block, video, row, column] = numbers(standardised(torch.tensor(maps[block, video, :, row, column])))
    return predictions, targets


@pytest.mark.parametrize("ids", [[0, 1, 2, 3, 4, 5], [0, 1, 2, 1, 4, 5]])
def test_a_prediction_finds_its_place_among_those_of_all_blocks_and_all_other_videos(ids: list[int]) -> None:
    start, task = seen_of("dense_prediction", SHORT), dense_task()
    seen = Seen(start.maps, replace(start.batch, video_ids=torch.tensor(ids)), start.heads)
    predictions, targets = slow(task, seen)
    losses, right = [], []
    for own, predicted in predictions.items():
        if not SHORT[own[1]]:
            continue
        rivals = [place for place in targets if ids[place[1]] != ids[own[1]] or place[1] == own[1]]
        scores = np.array([targets[place] @ predicted for place in rivals])
        losses.append(cross_entropy(scores, rivals.index(own)))
        right.append(rivals[int(scores.argmax())] == own)
    assert len(losses) == 5 * 2 * 6
    term = task(seen)
    assert float(term.loss.detach()) == pytest.approx(np.mean(losses), rel=1e-4)
    assert float(term.figures["dense_prediction_top1"]) == pytest.approx(np.mean(right))


def test_no_prediction_sees_the_blocks_that_it_predicts_nor_other_places() -> None:
    task, maps = dense_task(), seen_of("dense_prediction").maps.clone().requires_grad_()
    places = maps.view(BLOCKS, R, CHANNELS, -1).movedim(2, -1)
    predicted = task._predicted(places[:SEEN].flatten(1, 2)).view(2, R, -1, CHANNELS)
    predicted[:, 2, 1].square().sum().backward()
    assert maps.grad is not None
    moved = maps.grad.view(BLOCKS, R, CHANNELS, -1).norm(dim=2).nonzero().tolist()
    assert moved == [[block, 2, 1] for block in range(SEEN)]


def test_what_moves_on_steadily_is_learnt_by_the_layers_alone() -> None:
    """Each map is the one before it, turned about; videos, places and blocks all must be told apart."""
    turn = torch.linalg.qr(torch.randn(CHANNELS, CHANNELS, generator=torch.Generator().manual_seed(1))).Q

    def seen(seed: int) -> Seen:
        first = F.normalize(torch.randn(R, *SIDES, CHANNELS, generator=torch.Generator().manual_seed(seed)), dim=-1)
        blocks = [3 * first @ turn.matrix_power(n) for n in range(BLOCKS)]
        return seen_of("dense_prediction", maps=torch.stack(blocks).movedim(-1, 2).flatten(0, 1))

    def top1(task: DensePrediction) -> float:
        terms = [task.eval()(seen(seed)) for seed in range(50, 60)]
        return float(np.mean([float(term.figures["dense_prediction_top1"]) for term in terms]))

    task = dense_task()
    task.dropout.p = 0.0
    assert top1(task) < 0.1  # a 72th is chance
    optimiser = torch.optim.Adam(task.parameters(), 0.01)
    for step in range(300):
        optimiser.zero_grad()
        loss: Tensor = task.train()(seen(100 + step)).loss
        loss.backward()
        optimiser.step()
    assert top1(task) > 0.5
