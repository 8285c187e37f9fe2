"""Positives that the other head finds in memory: against loops, and what is never a positive or a negative."""

import numpy as np
import pytest
import torch

from rspnet_core.pretext.tasks.mined import MinedContrast
from rspnet_core.pretext.tasks.objective import Seen
from tests.rspnet_core.pretext.tasks.test_tasks import CHANNELS, R, batch_of, seen_of, task_of, unit

TAU, MINED = 0.3, 2


def task_with_memory(num: int = 6) -> MinedContrast:
    task = task_of("mined", temperature=TAU, positives=MINED)
    assert isinstance(task, MinedContrast)
    rng = torch.Generator().manual_seed(4)
    for memory in (task.motion, task.appearance):
        keys = torch.nn.functional.normalize(torch.randn(num, 128, generator=rng), dim=1)
        memory.put(keys, torch.arange(num) + R - 1)  # the first is of the batch's last video
    return task


def expected(task: MinedContrast, seen: Seen, *, is_mined: bool) -> tuple[float, list[list[int]]]:
    """Loss, and the places in memory that were mined for each video by either head."""
    rows = {head: unit(seen.heads[head](seen.pooled)) for head in ("motion", "appearance")}
    memories = {"motion": task.motion.negatives(), "appearance": task.appearance.negatives()}
    fast, total, found = seen.batch.positive_is_fast.tolist(), 0.0, []
    for head, other in (("motion", "appearance"), ("appearance", "motion")):
        partners = np.stack([rows[head][(2 if fast[k] else 1) * R + k] for k in range(R)])
        keys, guides = memories[head][0].numpy(), memories[other][0].numpy()
        for k in range(R):
            strangers = [j for j, own in enumerate(memories[head][1].tolist()) if own != int(seen.batch.video_ids[k])]
            nearest = sorted(strangers, key=lambda j: -float(guides[j] @ rows[other][k]))[: MINED * is_mined]
            weights = {("batch", j): np.exp(partners[j] @ rows[head][k] / TAU) for j in range(R)}
            weights |= {("memory", j): np.exp(keys[j] @ rows[head][k] / TAU) for j in strangers}
            positives = weights["batch", k] + sum(weights["memory", j] for j in nearest)
            total -= np.log(positives / sum(weights.values())) / R
            found.append(nearest)
    return total, found


@pytest.mark.parametrize(("progress", "is_mined"), [(0.4, False), (0.5, True)])
def test_the_loss_is_that_of_slow_loops(progress: float, is_mined: bool) -> None:
    task, seen = task_with_memory(), seen_of(batch_of(progress=progress))
    loss, found = expected(task, seen, is_mined=is_mined)
    assert all(len(each) == MINED * is_mined for each in found)
    assert float(task(seen).loss.detach()) == pytest.approx(loss, rel=1e-4)


def test_a_memory_that_is_empty_or_holds_the_own_video_alone_is_no_harm() -> None:
    for task in (task_of("mined"), task_with_memory(num=1)):
        term = task(seen_of(batch_of(progress=1.0)))
        term.loss.backward()
        assert term.loss.isfinite()


def test_heads_are_taught_by_each_other_and_not_by_what_they_find_themselves() -> None:
    """What guides a head takes no gradient from that head's loss."""
    task, seen = task_with_memory(), seen_of(batch_of(progress=1.0))
    motion, appearance = (task._with_partners(seen, head) for head in ("motion", "appearance"))
    loss, _ = task._of_head(seen, motion, task.motion, appearance[0], task.appearance)
    loss.backward()
    assert all(part.grad is not None for part in seen.heads["motion"].parameters())  # type: ignore[attr-defined]
    assert all(part.grad is None for part in seen.heads["appearance"].parameters())  # type: ignore[attr-defined]


def test_a_step_lowers_the_loss_and_is_remembered() -> None:
    task = task_with_memory()
    drawn = torch.randn(len(batch_of().clips), CHANNELS, 1, 1, generator=torch.Generator().manual_seed(0))
    maps = drawn.requires_grad_()
    seen = Seen(maps, batch_of(progress=1.0), seen_of(batch_of()).heads)
    first = task(seen)
    first.loss.backward()
    assert maps.grad is not None
    moved = Seen((maps - 0.1 * maps.grad).detach(), seen.batch, seen.heads)
    assert float(task(moved).loss.detach()) < float(first.loss.detach())
    task.remember(seen)
    keys, ids = task.motion.negatives()
    assert torch.allclose(keys[-R:], seen.motion("anchor").detach())
    assert ids[-R:].equal(seen.batch.video_ids)
