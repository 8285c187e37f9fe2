"""Two processes over gloo train as one does."""

from pathlib import Path

import pytest

from rspnet_core.models import create_model
from rspnet_core.pretext.pretrain import pretrain
from tests.rspnet_core.training.runs import RECIPE, SETTINGS, state, torchrun, weights

pytestmark = pytest.mark.slow

GATHER = """
import torch
from torch import distributed
from rspnet_core.pretext.queue import KeyQueue
from rspnet_core.training.fabric import gather_in_order

distributed.init_process_group("gloo")
rank = distributed.get_rank()
queue = KeyQueue(10)
for step in range(4):  # batches of unequal size, as where a video is unreadable
    size = 2 + rank
    keys = torch.full((size, 128), float(10 * step + rank))
    queue.put(gather_in_order(keys), gather_in_order(torch.arange(size) + 100 * rank + 1000 * step))
every = [torch.empty_like(queue.keys) for _ in range(2)]
distributed.all_gather(every, queue.keys)
ids = [torch.empty_like(queue.video_ids) for _ in range(2)]
distributed.all_gather(ids, queue.video_ids)
assert every[0].equal(every[1]) and ids[0].equal(ids[1]) and int(queue.written) == 20
assert sorted(ids[0].tolist()) == [2000, 2001, 2100, 2101, 2102, 3000, 3001, 3100, 3101, 3102]
distributed.barrier()  # a rank that ends while the other still talks to it makes that one abort
distributed.destroy_process_group()
"""


def command(videos: Path, out: Path, changes: dict[str, object]) -> list[str]:
    settings = [part for key, value in (SETTINGS | changes).items() for part in ("--set", f"{key}={value}")]
    return ["-m", "rspnet_core.cli", "pretrain", str(videos), "--out", str(out), "--device", "cpu", *settings]


def test_the_gathered_queue_is_the_same_on_every_rank(tmp_path: Path) -> None:
    script = tmp_path / "gather.py"
    script.write_text(GATHER)
    torchrun(str(script))


def test_a_head_without_an_objective_does_not_stop_several_processes(sample_videos: Path, tmp_path: Path) -> None:
    torchrun(*command(sample_videos, tmp_path / "run", {"epochs": 1, "objectives": "rsp"}))
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_two_processes_give_the_weights_of_one(sample_videos: Path, tmp_path: Path) -> None:
    changes = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01}
    pretrain(sample_videos, tmp_path / "one", RECIPE.model_copy(update=changes), device="cpu")
    torchrun(*command(sample_videos, tmp_path / "two", changes))
    (one, _), (two, _) = state(tmp_path / "one"), state(tmp_path / "two")
    assert one["queue/video_ids"].equal(two["queue/video_ids"])
    assert float((one["queue/keys"] * two["queue/keys"]).sum(dim=1).min()) > 0.9999
    start = create_model("tsm18", seed=RECIPE.seed)
    for name, parameter in start.named_parameters():
        moved = (weights(tmp_path / "one")[name] - parameter.detach()).norm()
        apart = (weights(tmp_path / "two")[name] - weights(tmp_path / "one")[name]).norm()
        assert apart <= 0.02 * moved, (name, float(apart / moved))
