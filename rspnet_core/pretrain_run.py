"""A pre-training run as it is told to people and kept on disk: figures, warnings, the encoder, closing lines."""

from dataclasses import dataclass, field
from typing import Any

from rspnet_core.checkpoint import describe, save_checkpoint
from rspnet_core.config import ClipGeometry
from rspnet_core.listener import Listener
from rspnet_core.pretext.objective import RSPNetObjective
from rspnet_core.recipe import PretrainRecipe
from rspnet_core.training.alarms import collapse_alarms
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.video.clip_loader import ClipLoader


@dataclass
class PretrainRun:
    """What a finished (or stopped) run tells."""

    folder: RunFolder
    recipe: PretrainRecipe
    loader: ClipLoader
    step: int
    num_steps: int
    stopped: bool
    figures: dict[str, Any]
    """The latest of each figure."""
    is_first_process: bool

    def document(self) -> dict[str, Any]:
        """What ``pretrain --json`` prints."""
        return {
            "run": str(self.folder.path),
            "model": str(self.folder.model),
            "videos": len(self.loader.paths),
            "steps": self.step,
            "of_steps": self.num_steps,
            "stopped": self.stopped,
            "figures": self.figures,
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.loader.unreadable.items()],
            "recipe": self.recipe.model_dump(mode="json"),
        }

    def closing_lines(self) -> list[str]:
        """What a person reads at the end."""
        lines = [f"{len(self.loader.unreadable)} unreadable videos were left out"] if self.loader.unreadable else []
        if self.stopped:
            return [*lines, f"stopped at step {self.step} of {self.num_steps}; the same command with --resume goes on"]
        wait = f", waiting for data {self.figures['data_wait']:.1%} of the time" if "data_wait" in self.figures else ""
        return [*lines, f"{self.step} steps{wait}; next: rspnet-index build VIDEOS --weights {self.folder.model}"]


@dataclass
class RunWatcher:
    """Writes figures and the encoder where the loop says; tells the listener."""

    folder: RunFolder
    objective: RSPNetObjective
    recipe: PretrainRecipe
    data_name: str
    listener: Listener
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
        model = self.objective.query.model
        epochs = f"epoch {self.latest.get('epoch', 0):g} of {self.recipe.epochs}"
        spec = describe(
            model,
            self.recipe.backbone,
            source=f"pre-trained on {self.data_name} by {'+'.join(self.recipe.objectives)}, {epochs}",
            trained=True,
            geometry=clip_geometry(self.recipe),
        )
        for path in (self.folder.model, *([self.folder.best] if is_best else [])):
            save_checkpoint(model, spec, path)


def clip_geometry(recipe: PretrainRecipe) -> ClipGeometry:
    """The clips that the encoder of a recipe sees when it embeds: ten, at the first playback speed."""
    return ClipGeometry(
        frames_per_clip=recipe.frames_per_clip,
        frame_step=recipe.frame_step * recipe.speeds[0],
        size=recipe.clip_size,
        fps=recipe.fps,
    )
