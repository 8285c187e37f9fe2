"""A store whose frames a GPU cannot hold: batches are copied to it, and nothing else differs."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.pretext.pretrain import pretrain
from rspnet_core.pretext.store import StoreReader, StoreSource
from rspnet_core.pretext.views import ViewBatch
from rspnet_core.training.schedule import CosineSchedule
from rspnet_core.video.store.frame_store import FrameStore
from tests.rspnet_core.pretext.test_joint import RECIPE, store  # noqa: F401 (a fixture)
from tests.rspnet_core.pretext.test_views import reader_of
from tests.rspnet_core.training.runs import Hearing, assert_equal_runs

CPU = torch.device("cpu")


def source_of(*, is_copied: bool) -> StoreSource:
    reader = reader_of([40, 50, 60, 70, 80])
    if is_copied:
        reader = replace(reader, store=replace(reader.store, copied_to=CPU))
    return StoreSource(reader, CosineSchedule(0.1, 0.0, 8))


def batches(source: StoreSource, first: int, num: int) -> list[ViewBatch]:
    return [batch for batch, _ in source.batches(first, num)]


def test_batches_that_are_copied_are_the_same() -> None:
    near, copied = (batches(source_of(is_copied=is_copied), 2, 4) for is_copied in (False, True))
    assert len(near) == len(copied) == 4
    for one, other in zip(near, copied, strict=True):
        assert one.clips.equal(other.clips)
        assert one.video_ids.equal(other.video_ids)
    assert batches(source_of(is_copied=True), 0, 0) == []
    assert len(batches(source_of(is_copied=True), 6, 9)) == 2  # the schedule is over


def test_the_next_batch_is_read_while_one_is_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    is_read = [threading.Event() for _ in range(4)]
    seen = StoreReader.seen

    def told(reader: StoreReader, step: int) -> object:
        read.append(step)
        is_read[step].set()
        return seen(reader, step)

    monkeypatch.setattr(StoreReader, "seen", told)
    before = set(threading.enumerate())
    source = source_of(is_copied=True)
    taken = source.batches(0, 4)
    next(taken)
    assert is_read[1].wait(10)
    assert read == [0, 1]
    taken.close()
    assert read == [0, 1]
    assert set(threading.enumerate()) <= before


def test_what_cannot_be_read_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(held: FrameStore, indices: NDArray[np.int64]) -> Tensor:
        raise OSError("no disk")

    monkeypatch.setattr(FrameStore, "clips", torn)
    with pytest.raises(OSError, match="no disk"):
        batches(source_of(is_copied=True), 0, 2)


@pytest.mark.usefixtures("thin_networks")
def test_a_run_on_copied_batches_ends_as_any(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    recipe = RECIPE.model_copy(update={"epochs": 1})
    pretrain(store, tmp_path / "near", recipe, device="cpu")
    monkeypatch.setattr(FrameStore, "on", lambda store, device: replace(store, copied_to=device))
    heard = Hearing()
    pretrain(store, tmp_path / "copied", recipe, device="cpu", listener=heard)
    assert_equal_runs(tmp_path / "copied", tmp_path / "near")
    (note,) = [line for line in heard.lines if "stay on the disk" in line]
    assert note.startswith("note: the store's frames take 0.0 GB, too much for cpu")
