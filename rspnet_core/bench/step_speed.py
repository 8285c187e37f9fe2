"""What a step of pre-training costs beside a plain transcription of Algorithm 1: seconds, memory, and the same result.

Each of the two lives in a process of its own, so that memory is its own; they take turns, step by step, so that a busy
machine slows both alike.
"""

import copy
import multiprocessing
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rspnet_core.bench.clock import seconds_of
from rspnet_core.bench.plain_step import PlainStep, apply_one_by_one
from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.models import create_model, entry_with_heads
from rspnet_core.pretext.batches import Apply, BatchMaker, SeenVideos
from rspnet_core.pretext.learners import build_objective, new_optimiser, on_device
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.pretext.views import SEEN, ViewBatch
from rspnet_core.training.fabric import choose_machine
from rspnet_core.training.loop import take_step
from rspnet_core.video.clips import augment

StepKind = Literal["rspnet", "plain"]
KINDS: tuple[StepKind, ...] = ("rspnet", "plain")
_UNTIMED_STEPS = 2


@dataclass(frozen=True)
class StepCosts:
    """Of each kind of step: seconds of each step, the most bytes its process held, and how far the results differ."""

    seconds: dict[StepKind, list[float]]
    peak_bytes: dict[StepKind, int]
    """Of the process on a CPU, PyTorch and the network included; of the device's memory on a GPU."""
    loss_difference: float
    """|loss - plain| / |plain|, in float32, the larger of two steps."""
    gradient_difference: float
    """The same of the gradients: ||g - plain|| / ||plain||."""
    flops: float
    """Of a step of rspnet's as PyTorch counts them: convolutions and products, forward and backward, a multiplication
    and an addition being two."""

    def document(self) -> dict[str, Any]:
        """What ``speed --json`` prints."""
        ours, plain = (self.seconds[kind] for kind in KINDS)
        return {
            "flops": self.flops,
            "seconds": self.seconds,
            "median_seconds": {kind: median(seconds) for kind, seconds in self.seconds.items()},
            "speedup": median(theirs / own for own, theirs in zip(ours, plain, strict=True)),
            "peak_bytes": self.peak_bytes,
            "loss_difference": self.loss_difference,
            "gradient_difference": self.gradient_difference,
        }


def compare_steps(recipe: PretrainRecipe, num_steps: int, device: str = "auto") -> StepCosts:
    """Measure ``num_steps`` steps of each kind in turn, on noise.

    Raises:
        InvalidSetting: the recipe is not Algorithm 1's (rsp and avid, all gradients, one positive).
        UnknownBackbone: a backbone that takes no heads.
        DeviceUnavailable: no such device.
        RspnetError: a process of the measurement died.
    """
    if set(recipe.objectives) != {"rsp", "avid"} or recipe.rsp_gradients != "all" or recipe.positives != "random":
        raise InvalidSetting(
            f"got objectives {'+'.join(recipe.objectives)}, rsp_gradients {recipe.rsp_gradients}, positives "
            f"{recipe.positives}; Algorithm 1 is rsp+avid, all, random: choose another recipe or use --set"
        )
    entry_with_heads(recipe.backbone)  # told here, as an absent device, and not in a child
    choose_machine(device, recipe.precision)
    seconds: dict[StepKind, list[float]] = {kind: [] for kind in KINDS}
    processes = {kind: _Measured(kind, recipe, device) for kind in KINDS}
    try:
        for number in range(_UNTIMED_STEPS + num_steps):
            for kind, process in processes.items():
                taken = process.step(number)
                if number >= _UNTIMED_STEPS:
                    seconds[kind].append(taken)
        peaks = {kind: process.peak_bytes() for kind, process in processes.items()}
    finally:
        for process in processes.values():
            process.end()
    # Last, as a child's peak would count what its parent holds when it starts.
    return StepCosts(seconds, peaks, *_differences(recipe, device), _flops(recipe, device))


def noise_videos(recipe: PretrainRecipe, number: int, device: torch.device) -> SeenVideos:
    """What would be read for step ``number``, of noise instead of videos."""
    num, side = recipe.batch_size, recipe.frame_size
    rng = np.random.default_rng((recipe.seed, number))
    frames = rng.integers(256, size=(len(SEEN), num, recipe.frames_per_clip, side, side, 3), dtype=np.uint8)
    return SeenVideos(
        step=number,
        rows=np.arange(num),
        frames=torch.from_numpy(frames).to(device),
        aspects=np.full(num, 4 / 3),
        has_speeds=np.ones(num, np.bool_),
        video_ids=number * num + np.arange(num),
    )


def batch_of(videos: SeenVideos, recipe: PretrainRecipe, apply: Apply = augment.apply) -> ViewBatch:
    """The batch of a step, cut and augmented."""
    return BatchMaker(recipe.view_plan(), recipe.clip_size, apply=apply).batch(videos, progress=0.0)


def _differences(recipe: PretrainRecipe, device: str) -> tuple[float, float]:
    """Largest relative differences of loss and gradients over two steps on the same clips, in float32."""
    fabric = choose_machine(device, "fp32").fabric
    objective = on_device(build_objective(recipe, num_steps=2), fabric)
    batches = [batch_of(noise_videos(recipe, number, fabric.device), recipe) for number in range(2)]
    objective.start(batches[0])
    plain = PlainStep(copy.deepcopy(objective.query.model), recipe)
    loss_difference = gradient_difference = 0.0
    for batch in batches:
        outcome = objective.loss(batch, objective.query)
        ours, theirs = outcome.loss, plain.loss(batch)
        fabric.backward(ours)
        fabric.backward(theirs)
        loss_difference = max(loss_difference, float(abs(ours - theirs).detach() / theirs.detach()))
        own, other = _gradients(objective.query.model), _gradients(plain.model)
        gradient_difference = max(gradient_difference, float((own - other).norm() / other.norm()))
        objective.after_step(outcome)
        plain.update_keys()
    return loss_difference, gradient_difference


def _flops(recipe: PretrainRecipe, device: str) -> float:
    fabric = choose_machine(device, "fp32").fabric
    objective = on_device(build_objective(recipe, num_steps=1), fabric)
    batch = batch_of(noise_videos(recipe, 0, fabric.device), recipe)
    with FlopCounterMode(display=False) as counter:
        fabric.backward(objective.loss(batch, objective.query).loss)
    return float(counter.get_total_flops())


def _gradients(model: nn.Module) -> torch.Tensor:
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    return torch.cat([gradient.flatten() for gradient in gradients])


class _Measured:
    """A process that takes steps of one kind when it is told to."""

    def __init__(self, kind: StepKind, recipe: PretrainRecipe, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, kind, recipe, device), daemon=True)
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C ends the parent, and so the pipe
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, handler)
        theirs.close()

    def step(self, number: int) -> float:
        """Seconds of one step."""
        return float(self._ask(number))

    def peak_bytes(self) -> int:
        """The most memory it held so far."""
        return int(self._ask(None))

    def _ask(self, number: int | None) -> float:
        try:
            self._connection.send(number)
            answer: float = self._connection.recv()
        except (EOFError, OSError):
            raise RspnetError(
                "a process of the measurement died, most often for want of memory; try a smaller batch_size"
            ) from None
        return answer

    def end(self) -> None:
        """Stop it."""
        self._connection.close()
        self._process.join(timeout=30)
        if self._process.is_alive():
            self._process.kill()


def _serve(connection: Connection, kind: StepKind, recipe: PretrainRecipe, device: str) -> None:
    fabric = choose_machine(device, recipe.precision).fabric
    step = (_rspnet_step if kind == "rspnet" else _plain_step)(recipe, fabric)
    with suppress(EOFError, BrokenPipeError):  # the parent has ended
        while True:
            number = connection.recv()
            connection.send(_peak_bytes(fabric) if number is None else _seconds(step, recipe, number, fabric))


def _seconds(step: Callable[[SeenVideos], None], recipe: PretrainRecipe, number: int, fabric: Fabric) -> float:
    videos = noise_videos(recipe, number, fabric.device)
    return seconds_of(partial(step, videos), fabric.device)


def _rspnet_step(recipe: PretrainRecipe, fabric: Fabric) -> Callable[[SeenVideos], None]:
    objective = on_device(build_objective(recipe, num_steps=1), fabric)
    optimiser = new_optimiser(recipe)(objective.query)
    module, wrapped = fabric.setup(objective.query, optimiser)

    def step(videos: SeenVideos) -> None:
        take_step(fabric, objective, batch_of(videos, recipe), module, wrapped)

    return step


def _plain_step(recipe: PretrainRecipe, fabric: Fabric) -> Callable[[SeenVideos], None]:
    model = create_model(recipe.backbone, seed=recipe.seed, head=recipe.head).train().to(fabric.device)
    plain = PlainStep(model, recipe)
    optimiser = new_optimiser(recipe)(plain.model)

    def step(videos: SeenVideos) -> None:
        optimiser.zero_grad()
        fabric.backward(plain.loss(batch_of(videos, recipe, apply_one_by_one)))
        optimiser.step()
        plain.update_keys()

    return step


def _peak_bytes(fabric: Fabric) -> int:
    if fabric.device.type == "cuda":
        return torch.cuda.max_memory_allocated(fabric.device)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024
