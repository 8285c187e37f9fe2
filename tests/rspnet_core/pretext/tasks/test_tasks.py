"""Each task's loss against loops written from its formula, and what it must not be moved by."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.models.two_head import PROJECTION_SIZE
from rspnet_core.pretext.losses import rsp_triplet_loss
from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.pretext.tasks.objective import Objective, Seen, contrast
from rspnet_core.pretext.tasks.statistics import TARGETS, motion_statistics
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.views import ViewBatch

R, P, CHANNELS = 5, 3, 6


def batch_of(*, progress: float = 0.0, has_speeds: list[bool] | None = None, ids: list[int] | None = None) -> ViewBatch:
    rng = torch.Generator().manual_seed(3)
    roles = {role: slice(n * R, (n + 1) * R) for n, role in enumerate(("anchor", "slow", "fast", "covered"))}
    return ViewBatch(
        clips=torch.rand(4 * R + 2 * P, 3, 4, 16, 16, generator=rng),
        places=roles | {"rendered": slice(4 * R, 4 * R + 2 * P)},
        video_ids=torch.tensor(ids or list(range(R))),
        speed_places=torch.tensor([0, 1]).expand(R, 2),
        anchor_is_fast=torch.tensor([True, False, False, True, True]),
        positive_is_fast=torch.tensor([False, True, False, True, False]),
        has_speeds=torch.tensor(has_speeds or [True] * R),
        progress=progress,
    )


def seen_of(batch: ViewBatch, seed: int = 0) -> Seen:
    maps = torch.randn(len(batch.clips), CHANNELS, 1, 1, generator=torch.Generator().manual_seed(seed))
    torch.manual_seed(1)
    heads = {name: torch.nn.Linear(CHANNELS, PROJECTION_SIZE) for name in ("motion", "appearance")}
    return Seen(maps, batch, heads)


def task_of(name: str, **settings: float) -> Objective:
    torch.manual_seed(2)
    kind = OBJECTIVES[name]
    return kind(CHANNELS, kind.Settings(**settings))


def unit(rows: Tensor) -> np.ndarray:
    return F.normalize(rows, dim=1).detach().double().numpy()


def info_nce(
    anchors: np.ndarray, others: np.ndarray, tau: float, left_out: set[tuple[int, int]] = frozenset()
) -> float:  # type: ignore[assignment]
    total = 0.0
    for k in range(len(anchors)):
        for a, b, swapped in ((anchors, others, False), (others, anchors, True)):
            terms = [
                np.exp(a[k] @ b[j] / tau) for j in range(len(b)) if ((j, k) if swapped else (k, j)) not in left_out
            ]
            total -= np.log(np.exp(a[k] @ b[k] / tau) / sum(terms)) / 2
    return total / len(anchors)


def test_contrast_is_info_nce_from_both_sides() -> None:
    rows = torch.randn(2, R, 4, generator=torch.Generator().manual_seed(0))
    anchors, others = F.normalize(rows[0], dim=1), F.normalize(rows[1], dim=1)
    left_out = torch.zeros(R, R, dtype=torch.bool)
    left_out[1, 3] = True
    loss, accuracy = contrast(anchors, others, 0.3, left_out)
    assert float(loss) == pytest.approx(info_nce(unit(rows[0]), unit(rows[1]), 0.3, frozenset({(1, 3)})), rel=1e-4)
    assert 0 <= accuracy <= 1


def test_order_is_the_softplus_of_the_gap_over_videos_that_are_long_enough() -> None:
    seen, task = seen_of(batch_of(has_speeds=[True, False, True, True, False])), task_of("order")
    values = task.speed(seen.pooled).squeeze(1).detach().double().numpy()  # type: ignore[operator]
    gaps = [values[2 * R + k] - values[R + k] for k in (0, 2, 3)]
    term = task(seen)
    assert float(term.loss.detach()) == pytest.approx(np.mean([np.log1p(np.exp(-gap)) for gap in gaps]), rel=1e-4)
    assert float(term.figures["order_accuracy"]) == pytest.approx(np.mean([gap > 0 for gap in gaps]))


def test_order_has_a_gradient_where_no_vector_knows_speed() -> None:
    """The triplet of Eq. 2 has none there: its pull is proportional to what the vectors know of speed already."""
    batch = batch_of()
    maps = torch.randn(R, CHANNELS, 1, 1).repeat(6, 1, 1, 1)[: len(batch.clips)].requires_grad_()
    seen = Seen(maps, batch, {})
    task_of("order")(seen).loss.backward()
    assert maps.grad is not None
    assert maps.grad.norm() > 0


def test_rsp_is_the_papers_triplet_on_the_release_s_pairs() -> None:
    seen, task = seen_of(batch_of()), task_of("rsp", margin=0.7)
    term = task(seen)
    task.eval()
    rows = torch.cat([task.projection.layer(seen.of(role)) for role in ("anchor", "slow", "fast")])  # type: ignore[union-attr, operator]
    anchor, slow, fast = F.normalize((rows - rows.mean(0)) / (rows.var(0, correction=0) + 1e-5).sqrt(), dim=1).chunk(3)
    is_fast = seen.batch.anchor_is_fast[:, None]
    same, other = torch.where(is_fast, fast, slow), torch.where(is_fast, slow, fast)
    assert float(term.loss) == pytest.approx(float(rsp_triplet_loss(anchor, same, other, 0.7)), rel=1e-4)
    of_both = float(term.figures["rsp_slow_accuracy"]) * 2 + float(term.figures["rsp_fast_accuracy"]) * 3
    assert float(term.figures["rsp_accuracy"]) * 5 == pytest.approx(of_both)


@pytest.mark.parametrize("name", ["order", "rsp"])
def test_a_batch_of_videos_that_are_too_short_costs_nothing(name: str) -> None:
    term: Term = task_of(name)(seen_of(batch_of(has_speeds=[False] * R)))
    assert float(term.loss) == 0


def test_avid_leaves_out_other_clips_of_the_own_video() -> None:
    seen = seen_of(batch_of(ids=[0, 1, 2, 1, 4]))
    rows = seen.heads["appearance"](seen.pooled)
    positive = torch.where(seen.batch.positive_is_fast[:, None], rows[2 * R : 3 * R], rows[R : 2 * R])
    expected = info_nce(unit(rows[:R]), unit(positive), 0.1, frozenset({(1, 3), (3, 1)}))
    assert float(task_of("avid")(seen).loss) == pytest.approx(expected, rel=1e-4)


def test_still_takes_the_own_window_at_the_other_speed_as_negative_in_the_second_half() -> None:
    early, late = (seen_of(batch_of(progress=progress)) for progress in (0.4, 0.6))
    motion = early.heads["motion"](early.pooled)
    slow, fast, covered = (unit(motion[n * R : (n + 1) * R]) for n in (1, 2, 3))
    expected = info_nce(slow, covered, 0.2)
    assert float(task_of("still")(early).loss) == pytest.approx(expected, rel=1e-4)
    harder = [np.log1p(np.exp((covered[k] @ fast[k] - covered[k] @ slow[k]) / 0.2)) for k in range(R)]
    assert float(task_of("still")(late).loss) == pytest.approx(expected + np.mean(harder), rel=1e-4)


@pytest.mark.parametrize(("name", "head", "pairs"), [
    ("programs", "motion", {0: 1, 2: 3, 4: 5}),
    ("looks", "appearance", {1: 2, 3: 4, 5: 0}),
])  # fmt: skip
@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_the_ring_finds_its_partner_and_ranks_it_before_the_neighbour(
    name: str, head: str, pairs: dict[int, int], progress: float
) -> None:
    seen = seen_of(batch_of(progress=progress))
    vectors = unit(seen.heads[head](seen.pooled)[4 * R :])
    partner = pairs | {b: a for a, b in pairs.items()}
    other = {0: 1, 2: 3, 4: 5} if name == "looks" else {1: 2, 3: 4, 5: 0}
    neighbour = other | {b: a for a, b in other.items()}
    losses, before = [], []
    for k in range(2 * P):
        logits = {j: vectors[k] @ vectors[j] / 0.1 for j in range(2 * P) if j not in (k, neighbour[k])}
        gap = (vectors[k] @ vectors[partner[k]] - vectors[k] @ vectors[neighbour[k]]) / 0.1
        harder = np.log1p(np.exp(-gap)) if progress > 0.15 else 0.0
        losses.append(np.log(sum(map(np.exp, logits.values()))) - logits[partner[k]] + harder)
        before.append(gap > 0)
    term = task_of(name)(seen)
    assert float(term.loss) == pytest.approx(np.mean(losses), rel=1e-4)
    key = "programs_before_look" if name == "programs" else "looks_before_program"
    assert float(term.figures[key]) == pytest.approx(np.mean(before))


def moving_texture(step_x: int, brightness: float = 1.0) -> Tensor:
    """A random texture that moves so many pixels a frame to the right: (1, 3, 6, 32, 32), normalised."""
    texture = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    large = F.interpolate(texture, size=(32, 32), mode="bicubic")[0]
    frames = torch.stack([large.roll(step_x * n, dims=2) for n in range(6)], dim=1)
    return (brightness * frames.expand(3, -1, -1, -1)[None] - 0.45) / 0.225


def directions(clip: Tensor) -> Tensor:
    return motion_statistics(clip)[0, -8 * 16 :].view(8, 16).mean(dim=1)


def test_statistics_tell_the_direction_and_not_the_light() -> None:
    right, left, still = (motion_statistics(moving_texture(step)) for step in (1, -1, 0))
    assert right.shape == (1, TARGETS)
    assert directions(moving_texture(1)).argmax() == 0  # to the right
    assert directions(moving_texture(-1)).argmax() == 4
    assert F.cosine_similarity(right[:, -128:], left[:, -128:]) < 0
    assert torch.allclose(right, motion_statistics(moving_texture(1, 0.8)), atol=0.35)
    assert still.isfinite().all()
    assert still.abs().max() < 1e-3


def test_statistics_are_energy_on_a_grid() -> None:
    clip = moving_texture(1)
    weights = np.array([0.299, 0.587, 0.114]) * np.array([0.229, 0.224, 0.225])
    grey = np.tensordot(clip[0].numpy(), weights, axes=(0, 0))
    blurred = F.avg_pool2d(torch.from_numpy(grey)[None], 3, 1, 1, count_include_pad=False)[0].numpy()
    change = np.abs(np.diff(blurred, axis=0))
    cells = []
    for t in range(3):
        for y in range(7):
            for x in range(7):
                spans = [
                    slice(n * size // cells_, -(-(n + 1) * size // cells_))
                    for n, size, cells_ in ((t, 5, 3), (y, 32, 7), (x, 32, 7))
                ]
                cells.append(np.sqrt(change[tuple(spans)].mean()))
    expected = (np.array(cells) - np.mean(cells)) / (np.std(cells) + 1e-3)
    assert np.allclose(motion_statistics(clip)[0, :147].numpy(), expected, atol=1e-3)


def test_the_read_out_of_statistics_can_be_learnt() -> None:
    torch.manual_seed(0)
    batch = batch_of()
    maps = torch.randn(len(batch.clips), CHANNELS, 1, 1)
    seen = Seen(maps, batch, {"motion": torch.nn.Linear(CHANNELS, PROJECTION_SIZE)})
    task = task_of("statistics")
    optimiser = torch.optim.Adam(task.parameters(), 0.01)
    first = float(task(seen).loss)
    for _ in range(60):
        optimiser.zero_grad()
        task(seen).loss.backward(retain_graph=True)
        optimiser.step()
    assert float(task(seen).loss) < 0.7 * first
