"""Two processes over gloo train as one does, and a process that was killed goes on as if nothing had happened."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rspnet_core.config import WholeVideo
from rspnet_core.models import create_model
from rspnet_core.pretext.pretrain import pretrain
from rspnet_core.recognition.finetune import finetune
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.store.write import write_store
from tests.rspnet_core.recognition.test_finetune import SETTINGS as FINETUNE
from tests.rspnet_core.recognition.test_finetune import recipe as finetune_recipe
from tests.rspnet_core.training.runs import RECIPE, SETTINGS, assert_equal_runs, state, torchrun, weights

pytestmark = pytest.mark.slow

GATHER = """
from pathlib import Path

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
Path(__file__).with_name(f"same{rank}").touch()
distributed.barrier()  # a rank that ends while the other still talks to it makes that one abort
distributed.destroy_process_group()
"""

CLOCKS = """
from pathlib import Path

from torch import distributed
from rspnet_core.pretext.pretrain import _schedule
from rspnet_core.training.fabric import choose_machine
from tests.rspnet_core.training.runs import RECIPE

fabric = choose_machine("cpu", "fp32").fabric
fabric.launch()
schedule = _schedule(RECIPE, 4, 0.1, fabric)
schedule.spent_seconds = 4.0 * fabric.global_rank  # of six: the second one would end long before the first
told = []
for step in range(200):
    told.append((schedule.progress(step), schedule.rate_at(step)))
every = [None, None]
distributed.all_gather_object(every, told)
assert every[0] == every[1] and 0.3 < every[0][0][0] < 0.4, every
Path(__file__).with_name(f"same{fabric.global_rank}").touch()
fabric.barrier()
distributed.destroy_process_group()
"""


def command(videos: Path, out: Path, changes: dict[str, object]) -> list[str]:
    settings = [part for key, value in (SETTINGS | changes).items() for part in ("--set", f"{key}={value}")]
    return ["-m", "rspnet_core.cli", "pretrain", str(videos), "--out", str(out), "--device", "cpu", *settings]


def test_the_gathered_queue_is_the_same_on_every_rank(tmp_path: Path) -> None:
    script = tmp_path / "gather.py"
    script.write_text(GATHER)
    torchrun(str(script))
    assert sorted(path.name for path in tmp_path.glob("same*")) == ["same0", "same1"]


def test_no_process_ends_before_another_by_its_own_clock(tmp_path: Path) -> None:
    script = tmp_path / "clocks.py"
    script.write_text(CLOCKS)
    torchrun(str(script))
    assert sorted(path.name for path in tmp_path.glob("same*")) == ["same0", "same1"]


def test_a_head_without_an_objective_does_not_stop_several_processes(sample_videos: Path, tmp_path: Path) -> None:
    torchrun(*command(sample_videos, tmp_path / "run", {"epochs": 1, "objectives": "rsp"}))
    assert (tmp_path / "run" / "model.safetensors").exists()


def assert_moved_alike(run: Path, other: Path) -> None:
    """What a run made of the first weights differs from what the other made by a fiftieth of that at most."""
    ours, theirs = weights(run), weights(other)
    for name, parameter in create_model("tsm18", seed=RECIPE.seed).named_parameters():
        moved, apart = (theirs[name] - parameter.detach()).norm(), (ours[name] - theirs[name]).norm()
        assert apart <= 0.02 * moved, (name, float(apart / moved))


def test_two_processes_give_the_weights_of_one(sample_videos: Path, tmp_path: Path) -> None:
    """After one step: the next starts from weights that differ by rounding, of which it may make a tenth of a step."""
    changes = {"epochs": 1, "batch_size": 32, "learning_rate": 0.01}
    pretrain(sample_videos, tmp_path / "one", RECIPE.model_copy(update=changes), device="cpu")
    torchrun(*command(sample_videos, tmp_path / "two", changes))
    assert_moved_alike(tmp_path / "two", tmp_path / "one")


def test_two_processes_fill_the_queue_of_one(sample_videos: Path, tmp_path: Path) -> None:
    changes = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01}
    pretrain(sample_videos, tmp_path / "one", RECIPE.model_copy(update=changes), device="cpu")
    torchrun(*command(sample_videos, tmp_path / "two", changes))
    (one, _), (two, _) = state(tmp_path / "one"), state(tmp_path / "two")
    assert one["queue/video_ids"].equal(two["queue/video_ids"])
    assert float((one["queue/keys"] * two["queue/keys"]).sum(dim=1).min()) > 0.9999


def test_two_processes_on_a_store_learn_what_one_does(sample_videos: Path, tmp_path: Path) -> None:
    """Of frames that no process has decoded before."""
    changes = {"epochs": 1, "batch_size": 32, "learning_rate": 0.01}
    files = {path.name: path for path in sorted(sample_videos.rglob("*.mp4"))}
    with DecodePool(1) as pool:
        for name in ("one", "two"):
            write_store(files, tmp_path / f"{name}.store", WholeVideo(frame_size=40), pool)
    pretrain(tmp_path / "one.store", tmp_path / "one", RECIPE.model_copy(update=changes), device="cpu")
    torchrun(*command(tmp_path / "two.store", tmp_path / "two", changes))
    assert_moved_alike(tmp_path / "two", tmp_path / "one")
    (one_state, _), (two_state, _) = state(tmp_path / "one"), state(tmp_path / "two")
    assert one_state["queue/video_ids"].equal(two_state["queue/video_ids"])


def test_two_processes_fine_tune_as_one(sample_videos: Path, tmp_path: Path) -> None:
    changes = {"epochs": 1, "dropout": 0.0, "optimiser": "sgd", "learning_rate": 0.01}
    finetune(sample_videos, tmp_path / "one", finetune_recipe(**changes), device="cpu")
    settings = [part for key, value in (FINETUNE | changes).items() for part in ("--set", f"{key}={value}")]
    torchrun("-m", "rspnet_core.cli", "finetune", str(sample_videos), "--out", str(tmp_path / "two"), *settings)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert max(float((one[name] - two[name]).abs().max()) for name in one if "num_batches" not in name) < 1e-3


def test_a_killed_run_resumes_as_if_nothing_had_happened(sample_videos: Path, tmp_path: Path) -> None:
    pretrain(sample_videos, tmp_path / "whole", RECIPE, device="cpu")
    out = tmp_path / "run"
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "rspnet_core.cli", "pretrain", str(sample_videos), "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")}
    process = subprocess.Popen([*command, *settings, "--device", "cpu"], stderr=subprocess.DEVNULL, env=environment)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "checkpoints" / "last.safetensors").exists():
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert (out / "checkpoints" / "last.safetensors").exists()
    subprocess.run([*command, "--resume", "--device", "cpu"], check=True, stderr=subprocess.DEVNULL, env=environment)
    assert_equal_runs(out, tmp_path / "whole")
