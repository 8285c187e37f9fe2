"""How fast a store feeds a recipe of several tasks, and how fast its steps compute, each apart and then together::

    python -m rspnet_core.bench.store_speed STORE RECIPE STEPS [--set KEY=VALUE ...]

``cut`` gathers the frames of a step's clips, ``augmented`` makes clips of them, ``rendered`` renders motion beside,
``step`` is forward, losses, backward and optimiser on a batch that is there already, ``whole`` is a step of a run.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from rspnet_core.bench.clock import seconds_of
from rspnet_core.pretext.batches import BatchMaker
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.learners import build_learner, new_optimiser
from rspnet_core.pretext.rendered import renderer_of
from rspnet_core.pretext.store import StoreReader
from rspnet_core.pretext.views import ViewBatch
from rspnet_core.training.fabric import choose_machine
from rspnet_core.training.loop import take_step
from rspnet_core.training.recipe_file import load_recipe
from rspnet_core.video.store.frame_store import FrameStore, open_store

_UNTIMED = 3
"""Runs of each part that are not counted: kernels are compiled and chosen, memory is taken."""
_PRODUCT_SIZE = {"cuda": 8192, "cpu": 1024}
"""Rows and columns of the matrices by whose product the device's own rate is measured."""


@dataclass(frozen=True)
class StoreSpeed:
    """Medians over the steps that were timed."""

    videos: int
    """Of a step."""
    clips: int
    """Of a step, rendered ones included."""
    seconds: dict[str, float]
    """Of each part, see above."""
    flops: float
    """Of a step, forward and backward."""
    product_rate: float
    """FLOP a second of a large matrix product in the step's precision on the same device, measured."""

    def document(self) -> dict[str, Any]:
        """As it is printed: rates are videos a second, ``of_the_step`` parts from 0 to 1 of the step's own rate."""
        rates = {name: self.videos / seconds for name, seconds in self.seconds.items()}
        return {
            "videos": self.videos,
            "clips": self.clips,
            "seconds": self.seconds,
            "videos_a_second": rates,
            "of_the_step": self.seconds["step"] / self.seconds["whole"],
            "step_flops_a_second": self.flops / self.seconds["step"],
            "matrix_product_flops_a_second": self.product_rate,
            "utilisation": self.flops / self.seconds["step"] / self.product_rate,
        }


def store_speed(store: FrameStore, recipe: JointRecipe, num_steps: int, device: str = "auto") -> StoreSpeed:
    """Measure ``num_steps`` runs of each part; nothing is rendered, nor told, where the recipe has no programs.

    Raises:
        DatasetError: more frames than the device has room for.
        DeviceUnavailable: no such device.
    """
    machine = choose_machine(device, recipe.precision)
    fabric = machine.fabric
    frames = store.on(fabric.device)
    plain = BatchMaker(recipe.view_plan(), recipe.clip_size)
    renderer = renderer_of(recipe) if recipe.num_programs else None
    reader = StoreReader(frames, recipe.sampling, replace(plain, renderer=renderer))
    learner = build_learner(recipe, num_steps, fabric)
    module, optimiser = fabric.setup(learner.task.trained, new_optimiser(recipe)(learner.task.trained))
    seen, batch = reader.seen(0), reader.batch(0, 0.5)

    def train(batch: ViewBatch) -> None:
        take_step(fabric, learner.task, batch, module, optimiser)

    parts: dict[str, Callable[[int], object]] = {"cut": reader.seen, "augmented": lambda step: plain.batch(seen, 0.5)}
    if renderer:
        pictures = seen.frames.flatten(0, 2)
        parts["rendered"] = lambda step: renderer.clips(np.random.default_rng(step), pictures, 0.5)
    parts |= {"step": lambda step: train(batch), "whole": lambda step: train(reader.batch(step, 0.5))}
    seconds = {name: _median_seconds(run, num_steps, fabric.device) for name, run in parts.items()}
    with FlopCounterMode(display=False) as counter:
        train(batch)
    rate = _product_rate(fabric.device, machine.lowered_to or torch.float32)
    return StoreSpeed(recipe.batch_size, len(batch.clips), seconds, float(counter.get_total_flops()), rate)


def _median_seconds(run: Callable[[int], object], num: int, device: torch.device) -> float:
    seconds = [seconds_of(partial(run, step), device) for step in range(_UNTIMED + num)]
    return median(seconds[_UNTIMED:])


def _product_rate(device: torch.device, precision: torch.dtype) -> float:
    size = _PRODUCT_SIZE[device.type]
    one, other = torch.randn(2, size, size, device=device, dtype=precision)
    return 2 * size**3 / _median_seconds(lambda step: one @ other, 10, device)


def main(arguments: list[str]) -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m rspnet_core.bench.store_speed")
    parser.add_argument("store", type=Path)
    parser.add_argument("recipe", help="name or .toml file")
    parser.add_argument("steps", type=int, help="of each part")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE, replaces a setting of the recipe")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    asked = parser.parse_args(arguments)
    recipe = load_recipe(JointRecipe, asked.recipe, dict(setting.split("=", 1) for setting in asked.set))
    print(json.dumps(store_speed(open_store(asked.store), recipe, asked.steps, asked.device).document(), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
