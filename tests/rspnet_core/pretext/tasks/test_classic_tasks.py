"""Tasks on clips of their own: each loss against loops written from its formula; a step of training lowers it."""

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rspnet_core.models.two_head import PROJECTION_SIZE
from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.pretext.tasks.objective import Objective, Seen
from rspnet_core.pretext.variants import Truth
from rspnet_core.pretext.views import ViewBatch
from tests.rspnet_core.pretext.tasks.test_tasks import info_nce, unit

R, CHANNELS, SIDES = 6, 8, (2, 3)
OWN = [name for name, kind in OBJECTIVES.items() if kind.variants(kind.Settings()) is not None]
SHORT = [True, True, False, True, True, True]


def task_of(name: str, **settings: float) -> Objective:
    torch.manual_seed(2)
    kind = OBJECTIVES[name]
    return kind(CHANNELS, kind.Settings(**settings)).eval()


def seen_of(name: str, has_speeds: list[bool] | None = None, maps: Tensor | None = None) -> Seen:
    kind = OBJECTIVES[name]
    variants = kind.variants(kind.Settings())
    assert variants is not None
    drawn = variants.drawn(np.random.default_rng(5), R)
    if maps is None:
        maps = torch.randn(variants.num_clips * R, CHANNELS, *SIDES, generator=torch.Generator().manual_seed(0))
    batch = ViewBatch(
        clips=torch.zeros(len(maps), 3, 2, 2, 2),
        places={name: slice(0, len(maps))},
        video_ids=torch.arange(R),
        speed_places=torch.zeros(R, 2, dtype=torch.long),
        anchor_is_fast=torch.zeros(R, dtype=torch.bool),
        positive_is_fast=torch.zeros(R, dtype=torch.bool),
        has_speeds=torch.tensor(has_speeds or [True] * R),
        progress=0.0,
        truths={name: drawn.truth},
    )
    torch.manual_seed(1)
    heads = {head: nn.Linear(CHANNELS, PROJECTION_SIZE) for head in ("motion", "appearance")}
    return Seen(maps, batch, heads)


def numbers(values: Tensor) -> np.ndarray:
    return values.detach().double().numpy()


def cross_entropy(logits: np.ndarray, truth: int) -> float:
    return float(np.log(np.exp(logits).sum()) - logits[truth])


def loss_of(task: Objective, seen: Seen) -> float:
    return float(task(seen).loss.detach())


def standardised(rows: Tensor) -> Tensor:
    """As an untrained batch norm in eval mode leaves them."""
    return rows / (1 + 1e-5) ** 0.5


@pytest.mark.parametrize("name", OWN)
def test_training_lowers_the_loss(name: str) -> None:
    """Of features that may move as they like, as an encoder's would."""
    start = seen_of(name)
    maps = start.maps.clone().requires_grad_()
    seen, task = seen_of(name, maps=maps), task_of(name).train()
    for part in task.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    optimiser = torch.optim.SGD([maps, *task.parameters()], 0.02)
    first = task(seen)
    first.loss.backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
    assert (maps.grad.norm(dim=1) > 0).all()
    optimiser.step()
    again = Seen(maps, seen.batch, seen.heads)
    assert loss_of(task, again) < float(first.loss.detach())


@pytest.mark.parametrize("name", [name for name in OWN if name != "rotation"])
def test_videos_that_are_too_short_teach_nothing_of_time(name: str) -> None:
    """What is left is the contrast between videos, where a task has one."""
    seen, none = seen_of(name), seen_of(name, has_speeds=[False] * R)
    assert 0 <= loss_of(task_of(name), none) < loss_of(task_of(name), seen)
    assert loss_of(task_of(name), none) == 0 or name in {"pace", "equivariance", "temporal_contrast"}


def test_rotation_is_the_cross_entropy_of_four_turns() -> None:
    seen, task = seen_of("rotation"), task_of("rotation")
    logits = numbers(task.turns(seen.pooled))  # type: ignore[operator]
    turns = seen.batch.truths["rotation"].turns[:, 0].tolist()
    term = task(seen)
    assert loss_of(task, seen) == pytest.approx(np.mean([cross_entropy(*each) for each in zip(logits, turns)]))  # noqa: B905
    assert float(term.figures["rotation_accuracy"]) == pytest.approx(np.mean(logits.argmax(axis=1) == turns))


def test_clip_order_is_asked_for_each_of_the_six_orders_by_pairs() -> None:
    seen, task = seen_of("clip_order", SHORT), task_of("clip_order")
    clips, losses = seen.pooled.view(3, R, CHANNELS), []
    for video in np.flatnonzero(SHORT):
        for truth, (a, b, c) in enumerate(permutations(range(3))):
            shown = [clips[n, video] for n in (a, b, c)]
            pairs = [task.of_pair(torch.cat([shown[i], shown[j]])) for i, j in ((0, 1), (0, 2), (1, 2))]  # type: ignore[operator]
            losses.append(cross_entropy(numbers(task.order(torch.cat(pairs))), truth))  # type: ignore[operator]
    assert loss_of(task, seen) == pytest.approx(np.mean(losses), rel=1e-4)


def test_cloze_is_the_cross_entropy_of_what_was_done_to_the_clip_in_the_middle() -> None:
    seen, task = seen_of("cloze", SHORT), task_of("cloze")
    clips, options = seen.pooled.view(3, R, CHANNELS), seen.batch.truths["cloze"].kinds[:, 1].tolist()
    logits = [numbers(task.option(torch.cat([clips[n, video] for n in range(3)]))) for video in range(R)]  # type: ignore[operator]
    assert {len(row) for row in logits} == {5}
    counted = np.flatnonzero(SHORT)
    term = task(seen)
    expected = np.mean([cross_entropy(logits[video], options[video]) for video in counted])
    assert float(term.loss.detach()) == pytest.approx(expected, rel=1e-4)
    right = np.mean([logits[video].argmax() == options[video] for video in counted])
    assert float(term.figures["cloze_accuracy"]) == pytest.approx(right)


def test_speediness_tells_the_second_clip_of_each_video_from_the_first() -> None:
    seen, task = seen_of("speediness", SHORT), task_of("speediness")
    logits = numbers(task.speed(seen.pooled)).reshape(2, R, 2)  # type: ignore[operator]
    losses = [cross_entropy(logits[clip, video], clip) for clip in (0, 1) for video in np.flatnonzero(SHORT)]
    assert loss_of(task, seen) == pytest.approx(np.mean(losses), rel=1e-4)


def test_playback_rate_is_the_cross_entropy_of_the_rates() -> None:
    seen, task = seen_of("playback_rate", SHORT), task_of("playback_rate")
    logits = numbers(task.rate(seen.pooled))  # type: ignore[operator]
    kinds = seen.batch.truths["playback_rate"].kinds[:, 0].tolist()
    assert logits.shape == (R, 4)
    losses = [cross_entropy(logits[video], kinds[video]) for video in np.flatnonzero(SHORT)]
    assert loss_of(task, seen) == pytest.approx(np.mean(losses), rel=1e-4)


def test_pace_is_a_cross_entropy_and_a_tenth_of_a_contrast_of_videos() -> None:
    seen, task = seen_of("pace", SHORT), task_of("pace")
    logits = numbers(task.pace(seen.pooled)).reshape(2, R, 4)  # type: ignore[operator]
    kinds = seen.batch.truths["pace"].kinds
    losses = [cross_entropy(logits[n, video], int(kinds[video, n])) for n in (0, 1) for video in np.flatnonzero(SHORT)]
    rows = standardised(task.projection.layer(seen.pooled))  # type: ignore[union-attr, operator]
    context = info_nce(unit(rows[:R]), unit(rows[R:]), 0.1)
    assert loss_of(task, seen) == pytest.approx(np.mean(losses) + 0.1 * context, rel=1e-4)


def test_equivariance_contrasts_transforms_between_videos_and_videos_between_transforms() -> None:
    seen, task = seen_of("equivariance", SHORT), task_of("equivariance", temperature=0.3)
    truth, clips = seen.batch.truths["equivariance"], seen.pooled.view(2, R, CHANNELS)
    pairs = [task.pair(torch.cat([clips[0, video], clips[1, video]])) for video in range(R)]  # type: ignore[operator]
    vectors = unit(standardised(task.transform.layer(torch.stack(pairs))))  # type: ignore[union-attr, operator]
    relations = [
        cross_entropy(numbers(task.relation(pairs[video])), int(truth.relations[video]))  # type: ignore[operator]
        for video in np.flatnonzero(SHORT)
    ]
    made = [(*truth.kinds[video].tolist(), int(truth.relations[video])) for video in range(R)]
    transforms = []
    for video in np.flatnonzero(SHORT):
        (twin,) = {other for other in range(R) if other % (R // 2) == video % (R // 2)} - {int(video)}
        if not SHORT[twin]:
            continue
        others = [other for other in np.flatnonzero(SHORT) if made[other] != made[video]]
        logits = np.array([vectors[video] @ vectors[other] for other in (twin, *others)]) / 0.3
        transforms.append(cross_entropy(logits, 0))
    assert len(transforms) == 4
    rows = standardised(task.instance.layer(seen.pooled))  # type: ignore[union-attr, operator]
    instance = info_nce(unit(rows[:R]), unit(rows[R:]), 0.3)
    expected = np.mean(transforms) + np.mean(relations) + instance
    assert loss_of(task, seen) == pytest.approx(expected, rel=1e-4)


def test_pairs_of_one_transform_that_are_no_twins_are_no_negatives() -> None:
    from rspnet_core.pretext.tasks.equivariance import transform_contrast

    vectors = torch.nn.functional.normalize(torch.randn(4, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    same, twins = torch.zeros(4, 2, dtype=torch.long), torch.tensor([0, 1, 0, 1])
    truth = Truth(same, same, same, same[:, 0], twins)
    loss, top1 = transform_contrast(vectors, truth, torch.ones(4, dtype=torch.bool), 0.1)
    assert float(loss) == pytest.approx(0, abs=1e-6)  # nothing but the twin is left
    assert float(top1) == 1


def test_transform_rank_compares_two_clips_of_a_video_in_the_columns_of_both() -> None:
    seen, task = seen_of("transform_rank", SHORT), task_of("transform_rank")
    scores = numbers(task.scores(seen.pooled)).reshape(2, R, 6)  # type: ignore[operator]
    kinds, losses, right = seen.batch.truths["transform_rank"].kinds.tolist(), [], []
    for video in np.flatnonzero(SHORT):
        for own, other in ((0, 1), (1, 0)):
            column = kinds[video][own]
            gap = scores[own, video, column] - scores[other, video, column]
            losses.append(np.log1p(np.exp(-gap)))
            right.append(gap > 0)
    term = task(seen)
    assert loss_of(task, seen) == pytest.approx(np.mean(losses), rel=1e-4)
    assert float(term.figures["transform_rank_accuracy"]) == pytest.approx(np.mean(right))


def test_temporal_contrast_has_other_moments_of_the_own_video_as_negatives() -> None:
    seen, task = seen_of("temporal_contrast", SHORT), task_of("temporal_contrast")
    motion = unit(seen.heads["motion"](seen.pooled)).reshape(4, R, -1)
    losses = []
    for video in np.flatnonzero(SHORT):
        for clip in range(4):
            again = (clip + 2) % 4
            others = [again, *(other for other in range(4) if other not in (clip, again))]
            logits = np.array([motion[clip, video] @ motion[other, video] for other in others]) / 0.1
            losses.append(cross_entropy(logits, 0))
    rows = unit(seen.heads["appearance"](seen.pooled)).reshape(4, R, -1)
    expected = np.mean(losses) + info_nce(rows[0], rows[3], 0.1)
    assert loss_of(task, seen) == pytest.approx(expected, rel=1e-4)
