"""What the training loop asks of what it trains, of where batches come from, and of who watches."""

from collections.abc import Iterator
from typing import Any, Protocol

from torch import Tensor, nn


class Task(Protocol):
    """What is trained."""

    @property
    def trained(self) -> nn.Module:
        """The module that takes gradients."""

    @property
    def modules(self) -> dict[str, nn.Module]:
        """All modules that a step changes."""

    def inputs(self, batch: Any) -> Tensor:
        """What of a batch goes through the module."""

    def start(self, batch: Any) -> None:
        """Before the first step of a run, never after a resume."""

    def loss(self, batch: Any, module: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch and figures, through ``module``, which wraps ``trained``."""

    def after_step(self) -> None:
        """After the optimiser's step."""


class Batches(Protocol):
    """Where batches come from."""

    waited_seconds: float

    def batches(self, first_step: int, num_steps: int) -> Iterator[tuple[Any, int]]:
        """Batches on the device, each with its number of samples."""


class Watcher(Protocol):
    """Who is told how the run goes, on rank 0."""

    def interval(self, figures: dict[str, Any]) -> None:
        """Means over the last steps."""

    def checkpoint(self, *, is_best: bool) -> None:
        """The state is on disk; write the encoder too."""
