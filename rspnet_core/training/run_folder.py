"""A run's folder: recipe, figures, checkpoints, and the model that goes straight into an index.

recipe.toml                  every setting, as resolved
metrics.jsonl                one line an interval of steps
tensorboard/                 the same figures for TensorBoard
curves.png                   drawn at the end
model.safetensors, .json     the encoder as of the newest checkpoint
best.safetensors, .json      the encoder of the best epoch
epochs/200.safetensors       encoders that were asked to be kept, by epoch
checkpoints/last.safetensors the whole state, to go on from
"""

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rspnet_core.errors import DatasetError, InvalidSetting, RspnetError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Figures = dict[str, float]


class RunFolder:
    """Paths and small files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.metrics = path / "metrics.jsonl"
        self.curves = path / "curves.png"
        self.model = path / "model.safetensors"
        self.best = path / "best.safetensors"
        self.last_state = path / "checkpoints" / "last.safetensors"

    def begin(self, recipe: str) -> None:
        """Make the folder of a new run. Raises InvalidSetting when there is a run already, RspnetError if refused."""
        if self.recipe.exists() or self.last_state.exists():
            raise InvalidSetting(f"{self.path} holds a run already; go on with --resume or name another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.metrics.write_text("", encoding="utf-8")
            self.recipe.write_text(recipe, encoding="utf-8")
        except OSError as error:
            raise RspnetError(f"cannot write to {self.path}: {error.strerror}; name another --out") from error

    def kept(self, epoch: int) -> Path:
        """Where the encoder of an epoch is, if it was asked to be kept."""
        return self.path / "epochs" / f"{epoch}.safetensors"

    def append(self, figures: dict[str, Any]) -> None:
        """Add one line of figures, for TensorBoard too."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")
        for name, value in figures.items():
            if name != "step":
                self._tensorboard.add_scalar(name, value, figures["step"])

    @cached_property
    def _tensorboard(self) -> "SummaryWriter":
        from torch.utils.tensorboard import SummaryWriter  # seconds to import

        writer: SummaryWriter = SummaryWriter(str(self.path / "tensorboard"), flush_secs=30)
        return writer

    def lines(self) -> list[dict[str, Any]]:
        """All lines of figures, oldest first. Raises DatasetError where there are none."""
        try:
            return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self.path} holds no figures of a run ({error}); name a run's folder") from None

    def forget_after(self, step: int) -> None:
        """Drop the figures of steps that a resumed run will take again, and a line that was cut."""
        kept: list[str] = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines() if self.metrics.exists() else ():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                break
        self.metrics.write_text("".join(kept), encoding="utf-8")


def series(lines: Iterable[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of one figure."""
    pairs = [(line["step"], line[name]) for line in lines if name in line]
    return [step for step, _ in pairs], [value for _, value in pairs]
