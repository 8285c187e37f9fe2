"""A run as it is told to people and kept on disk: figures, warnings, the encoder, closing lines."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rspnet_core.config import EncoderSpec
from rspnet_core.models import EncoderModel
from rspnet_core.training.alarms import collapse_alarms
from rspnet_core.training.fabric import Machine
from rspnet_core.training.listener import Listener
from rspnet_core.training.loop import Loop
from rspnet_core.training.recipe import TrainRecipe
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.schedule import TimedCosine
from rspnet_core.training.task import Batches
from rspnet_core.weights.checkpoint import save_checkpoint


@dataclass
class TrainingRun:
    """What a finished (or stopped) run tells."""

    loop: Loop
    recipe: TrainRecipe
    source: Batches
    figures: dict[str, Any]
    """The latest of each figure."""
    next_command: str
    """What a user does with the result."""

    @property
    def folder(self) -> RunFolder:
        """Where all of it is."""
        return self.loop.folder

    @property
    def step(self) -> int:
        """Steps taken."""
        return self.loop.step

    @property
    def num_steps(self) -> int | None:
        """Steps of the whole run; None where the clock decides."""
        schedule = self.loop.schedule
        return None if isinstance(schedule, TimedCosine) else schedule.num_steps

    @property
    def is_first_process(self) -> bool:
        """Whether this process is the one that speaks."""
        return self.loop.fabric.is_global_zero

    @property
    def stopped(self) -> bool:
        """Whether it ended early, by Ctrl-C or SIGTERM."""
        return self.loop.stopped

    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "run": str(self.folder.path),
            "model": str(self.folder.model),
            "videos": len(self.source.paths),
            "steps": self.step,
            "of_steps": self.num_steps,
            "stopped": self.stopped,
            "figures": self.figures,
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.source.unreadable.items()],
            "recipe": self.recipe.model_dump(mode="json"),
        }

    def closing_lines(self) -> list[str]:
        """What a person reads at the end."""
        lines = [f"{len(self.source.unreadable)} unreadable videos were left out"] if self.source.unreadable else []
        if self.stopped:
            place = f"step {self.step}" if self.num_steps is None else f"step {self.step} of {self.num_steps}"
            return [*lines, f"stopped at {place}; the same command with --resume goes on"]
        wait = f", waiting for data {self.figures['data_wait']:.1%} of the time" if "data_wait" in self.figures else ""
        return [*lines, f"{self.step} steps{wait}; next: {self.next_command}"]


@dataclass
class RunWatcher:
    """Writes figures and the encoder where the loop says; tells the listener."""

    folder: RunFolder
    listener: Listener
    encoder: Callable[[], EncoderModel]
    """Makes what is written."""
    spec: Callable[[str], EncoderSpec]
    """Of the encoder as it is now, given how far the run is ("epoch 3 of 8")."""
    end: str
    """How long the run is: "of 8" epochs, or "in 9 minutes"."""
    latest: dict[str, Any] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def interval(self, figures: dict[str, Any]) -> None:
        """Keep and pass on a line of figures; warn once of each sign of collapse, after the first epoch."""
        self.folder.append(figures)
        self.latest |= figures
        self.listener.advance(figures)
        for name, alarm in collapse_alarms(figures).items():
            if name not in self.warned and figures["epoch"] >= 1:  # an untrained network's vectors are alike too
                self.warned.add(name)
                self.listener.say(f"warning: step {figures['step']}: {alarm}")

    def checkpoint(self, *, is_best: bool) -> None:
        """Write the encoder; as the best one too where it is."""
        self._write(self.folder.model, *([self.folder.best] if is_best else []))

    def keep(self, epoch: int) -> None:
        """Write the encoder of an epoch, to stay."""
        self.folder.kept(epoch).parent.mkdir(exist_ok=True)
        self._write(self.folder.kept(epoch))

    def _write(self, *paths: Path) -> None:
        spec, encoder = self.spec(f"epoch {self.latest.get('epoch', 0):g} {self.end}"), self.encoder()
        for path in paths:
            save_checkpoint(encoder, spec, path)


def opening_lines(recipe: TrainRecipe, machine: Machine, amount: str, aim: str) -> list[str]:
    """How much will be done, and by what network on what device; ``amount`` and ``aim`` say it in words."""
    fabric = machine.fabric
    processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
    return [
        amount,
        f"{recipe.backbone} {aim}, {recipe.frames_per_clip} frames of "
        f"{recipe.clip_size}x{recipe.clip_size} pixels, on {fabric.device}{processes} in {machine.precision}",
    ]
