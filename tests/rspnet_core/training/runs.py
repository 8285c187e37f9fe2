"""A run that takes a second: a small 2D network, clips of two frames of 32 x 32 pixels, 32 sample videos."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.training.listener import Listener
from rspnet_core.training.state import read_state
from tests.conftest import REPOSITORY

SETTINGS = {
    "backbone": "tsm18",
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.02,
    "frames_per_clip": 2,
    "clip_size": 32,
    "queue_size": 20,
    "momentum": 0.9,
}
RECIPE = PretrainRecipe.model_validate(SETTINGS)


def weights(run: Path) -> dict[str, Tensor]:
    return load_file(run / "model.safetensors")


def state(run: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    return read_state(run / "checkpoints" / "last.safetensors")


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.equal(other[name]), name


def assert_equal_runs(run: Path, uninterrupted: Path) -> None:
    assert_same_bits(weights(run), weights(uninterrupted))
    assert_same_bits(state(run)[0], state(uninterrupted)[0])
    assert state(run)[1] == state(uninterrupted)[1]
    kept = [
        [
            {name: value for name, value in json.loads(line).items() if name not in {"step_seconds", "data_wait"}}
            for line in (folder / "metrics.jsonl").read_text().splitlines()
        ]
        for folder in (run, uninterrupted)
    ]
    assert kept[0] == kept[1]


class CtrlC(Listener):
    """Presses Ctrl-C when it is told of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def advance(self, figures: dict[str, Any]) -> None:
        if figures["step"] == self.step:
            os.kill(os.getpid(), signal.SIGINT)


class Hearing(Listener):
    """Remembers what it is told to read."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, lines: list[str], num_steps: int) -> None:
        self.lines += lines

    def say(self, line: str) -> None:
        self.lines.append(line)


def torchrun(*arguments: str) -> None:
    """Two processes on a CPU."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
